"""Promise: GPTQ keeps a layer's outputs on its own inputs better than any rounding that looks at the weights
alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.quantization import gptq as module
from pipeline.quantization.gptq import gptq
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, nearest

RANDOM = np.random.default_rng(0)


def layer(outputs: int, inputs: int, tokens: int = 2000) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Weights, and X X^T of inputs that go together, as those of real layers do."""
    weights = RANDOM.standard_normal((outputs, inputs)).astype(np.float32)
    mixing = RANDOM.standard_normal((inputs, inputs)) * np.exp(-4 * np.arange(inputs) / inputs)[:, None]
    samples = RANDOM.standard_normal((tokens, inputs)) @ mixing + 0.3 * RANDOM.standard_normal(
        (tokens, inputs)
    )
    return weights, samples.T @ samples


def output_error(matrix: NDArray[np.float32], quantized: Quantized, hessian: NDArray[np.float64]) -> float:
    """tr((W - Q) H (W - Q)^T) / tr(W H W^T): the share of the outputs' energy that rounding changes."""
    difference = matrix - quantized.dequantized()
    return float(np.vdot(difference @ hessian, difference) / np.vdot(matrix @ hessian, matrix))


WEIGHTS, HESSIAN = layer(48, 160)
KINDS = [(4, None), (4, 32), (8, None)]


@pytest.mark.parametrize(("bits", "block"), KINDS)
def test_outputs_are_kept_twice_as_well_as_by_the_best_rounding_of_weights(
    bits: int, block: int | None
) -> None:
    plain = output_error(WEIGHTS, nearest(WEIGHTS, bits, block), HESSIAN)
    best = output_error(WEIGHTS, least_squares(WEIGHTS, bits, block), HESSIAN)
    found = gptq(WEIGHTS, HESSIAN, bits, block)
    assert output_error(WEIGHTS, found, HESSIAN) < min(plain, best) / 2
    assert np.abs(found.values).max() <= LARGEST[bits]
    assert found.scales.shape == (48, 160 // (block or 160))


@pytest.mark.parametrize("block", [None, 32])
def test_coordinate_descent_only_ever_helps(block: int | None) -> None:
    errors = [
        output_error(WEIGHTS, gptq(WEIGHTS, HESSIAN, 4, block, damping=0, descents=count), HESSIAN)
        for count in (0, 1, 3)
    ]
    assert errors[0] > errors[1] >= errors[2] * (1 - 1e-6)


@pytest.mark.parametrize("block", [None, 32])
def test_columns_are_rounded_alike_in_pieces(block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lazy updates change the order of sums, not what is summed."""
    whole = output_error(WEIGHTS, gptq(WEIGHTS, HESSIAN, 4, block), HESSIAN)
    monkeypatch.setattr(module, "COLUMNS", 24)
    assert output_error(WEIGHTS, gptq(WEIGHTS, HESSIAN, 4, block), HESSIAN) == pytest.approx(whole, rel=0.02)


def test_inputs_of_which_nothing_is_known_are_rounded_as_if_alone() -> None:
    """Inputs that were always zero in calibration are not zero for ever."""
    hessian = HESSIAN.copy()
    dead = [3, 77]
    hessian[dead, :] = 0
    hessian[:, dead] = 0
    found = gptq(WEIGHTS, hessian, 4)
    errors = np.abs(found.dequantized() - WEIGHTS)[:, dead]
    cut = np.maximum(np.abs(WEIGHTS[:, dead]) - 7 * found.scales, 0)
    assert (errors <= np.maximum(cut, found.scales / 2) + 1e-6).all()
    nothing = gptq(WEIGHTS, np.zeros_like(HESSIAN), 4)
    assert (
        np.square(nothing.dequantized() - WEIGHTS).sum()
        <= np.square(nearest(WEIGHTS, 4).dequantized() - WEIGHTS).sum()
    )


def test_fewer_examples_than_inputs_are_enough() -> None:
    weights, hessian = layer(16, 160, tokens=20)
    assert output_error(weights, gptq(weights, hessian, 4), hessian) < output_error(
        weights, least_squares(weights, 4), hessian
    )
