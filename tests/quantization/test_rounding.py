"""Promise: integers within their bits, stored as LiteRT packs them; least squares is nowhere worse than plain
rounding."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.quantization import rounding
from pipeline.quantization.rounding import LARGEST, least_squares, nearest, storable, unpacked, with_scales

RANDOM = np.random.default_rng(0)
MATRIX = (RANDOM.standard_t(4, (24, 96)) * np.exp(RANDOM.standard_normal((24, 1)))).astype(np.float32)
KINDS = [(4, None), (4, 32), (8, None), (8, 32)]


def squared_errors(
    matrix: NDArray[np.float32], stored: NDArray[np.float32], block: int | None
) -> NDArray[np.float64]:
    """Of each row or block."""
    errors = np.square(matrix.astype(np.float64) - stored)
    sums: NDArray[np.float64] = errors.reshape(len(matrix), -1, block or matrix.shape[1]).sum(axis=2)
    return sums


@pytest.mark.parametrize(("bits", "block"), KINDS)
def test_plain_rounding_is_off_by_half_a_step_at_most(bits: int, block: int | None) -> None:
    quantized = nearest(MATRIX, bits, block)
    steps = np.repeat(quantized.scales, MATRIX.shape[1] // quantized.scales.shape[1], axis=1)
    # A block's largest number may be cut by the rounding of its scale, up to LARGEST / 2^9 of a step.
    assert (np.abs(quantized.dequantized() - MATRIX) <= 0.5001 * steps).all()
    assert np.abs(quantized.values).max() == LARGEST[bits]


@pytest.mark.parametrize(("bits", "block"), KINDS)
def test_packed_bytes_give_the_integers_back(bits: int, block: int | None) -> None:
    quantized = nearest(MATRIX, bits, block)
    packed = quantized.packed()
    assert packed.nbytes == MATRIX.size * bits // 8
    assert np.array_equal(unpacked(packed, bits).reshape(MATRIX.shape), quantized.values)


def test_two_integers_share_a_byte_the_first_in_the_low_bits() -> None:
    quantized = with_scales(np.array([[1, -1, 7, -7]], np.float32), np.ones((1, 1), np.float32), 4)
    assert quantized.packed().tolist() == [0xF1, 0x97]


@pytest.mark.parametrize(("bits", "block"), KINDS)
def test_least_squares_is_nowhere_worse_than_plain_rounding(bits: int, block: int | None) -> None:
    plain, best = nearest(MATRIX, bits, block), least_squares(MATRIX, bits, block)
    before = squared_errors(MATRIX, plain.dequantized(), block)
    after = squared_errors(MATRIX, best.dequantized(), block)
    assert (after <= before * (1 + 1e-5)).all()
    assert np.abs(best.values).max() <= LARGEST[bits]
    assert best.scales.shape == plain.scales.shape


def test_least_squares_takes_a_quarter_off_the_error_of_a_normal_distribution_in_4_bits() -> None:
    matrix = RANDOM.standard_normal((64, 512)).astype(np.float32)
    plain, best = nearest(matrix, 4), least_squares(matrix, 4)
    before = squared_errors(matrix, plain.dequantized(), None).sum()
    assert squared_errors(matrix, best.dequantized(), None).sum() < 0.75 * before


def test_what_is_important_is_kept_better() -> None:
    importance = np.where(np.arange(96) < 8, 100, 1).astype(np.float32)
    plain, best = least_squares(MATRIX, 4), least_squares(MATRIX, 4, importance=importance)

    def weighted(stored: NDArray[np.float32]) -> float:
        return float((np.square(MATRIX - stored) * importance).sum())

    assert weighted(best.dequantized()) < weighted(plain.dequantized())


@pytest.mark.parametrize("block", [None, 32])
def test_rows_are_rounded_alike_in_pieces(block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = least_squares(MATRIX, 4, block)
    monkeypatch.setattr(rounding, "PIECE", 500)
    pieces = least_squares(MATRIX, 4, block)
    assert np.array_equal(whole.values, pieces.values)
    assert np.array_equal(whole.scales, pieces.scales)


@pytest.mark.parametrize("block", [None, 32])
def test_a_row_of_zeros_stays_one(block: int | None) -> None:
    matrix = MATRIX.copy()
    matrix[3] = 0
    for quantized in (nearest(matrix, 4, block), least_squares(matrix, 4, block)):
        assert not quantized.values[3].any()
        assert np.isfinite(quantized.dequantized()).all()


def test_the_scales_of_blocks_survive_being_stored() -> None:
    scales = nearest(MATRIX, 4, 32).scales
    assert np.array_equal(scales.astype(np.float16).astype(np.float32), scales)
    assert np.array_equal(storable(scales), scales)
    # bfloat16 keeps 8 significant bits and rounds halves to even.
    halves = np.array([1 + 1 / 256, 1 + 3 / 256], np.float32)
    assert storable(halves).tolist() == [1.0, 1 + 4 / 256]
