"""The registry of roundings is what its users rely on: names, needs, functions that round, limits that hold,
and a light import."""

import subprocess
import sys

import numpy as np
import pytest

from pipeline.quantization.rounding import nearest_scales
from pipeline.quantization.roundings import HALF_STEP, ROUNDINGS, TRAINED, Rounding, find_rounding

MATRIX = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32)
INPUTS = np.random.default_rng(1).standard_normal((64, 200))
CASES = pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS)


@CASES
def test_every_rounding_rounds_within_its_own_limit(rounding: Rounding) -> None:
    if rounding.of_inputs is not None:
        quantized = rounding.of_inputs(MATRIX, INPUTS @ INPUTS.T, 4, None)
    else:
        assert rounding.of_weights is not None
        quantized = rounding.of_weights(MATRIX, 4, None)
    errors = np.abs(quantized.dequantized() - MATRIX) / nearest_scales(MATRIX, 4)
    if rounding.row_limit is None:
        assert errors.max() <= HALF_STEP
    else:
        assert np.sqrt(np.square(errors).mean(axis=1)).max() <= rounding.row_limit


@CASES
def test_the_base_beside_a_model_is_rounded_by_weights_alone(rounding: Rounding) -> None:
    base = ROUNDINGS[rounding.base_rounding]
    assert base.of_weights is not None
    assert base.needs_grafting == rounding.needs_grafting


def test_only_plain_rounding_is_done_by_the_converter() -> None:
    assert [name for name, rounding in ROUNDINGS.items() if not rounding.needs_grafting] == ["nearest"]
    assert [name for name, rounding in ROUNDINGS.items() if rounding.needs_calibration] == ["gptq"]


def test_names_are_found_and_the_trained_rounding_cannot_be_chosen() -> None:
    assert all(find_rounding(name).name == name for name in [*ROUNDINGS, TRAINED.name])
    assert TRAINED.name not in ROUNDINGS
    with pytest.raises(KeyError):
        find_rounding("stochastic")


def test_the_registry_loads_no_model_library() -> None:
    script = (
        "import sys, pipeline.quantization.roundings; sys.exit(bool({'torch', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
