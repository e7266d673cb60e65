"""Promise: a folder is rounded into a file by an isolated process; without examples or integers there is
nothing to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExample, EncodedExamples
from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING
from pipeline.quantization.calibration import quantize_calibrated, token_limit
from pipeline.quantization.quantized_file import read_quantized
from pipeline.quantization.rounding import Quantized
from tests.quantization.random_models import EXAMPLES, make_model, matrices
from tests.support.presets import SHAPE


def encoded(examples: list[list[int]]) -> EncodedExamples:
    return EncodedExamples(
        tuple(EncodedExample(np.array(ids, np.int32), np.arange(len(ids)) >= 2) for ids in examples), 0
    )


@pytest.mark.slow
def test_a_folder_is_rounded_in_its_own_process_into_a_file(tmp_path: Path) -> None:
    model = make_model("gemma3_text")
    model.save_pretrained(tmp_path / "model")
    output = tmp_path / "rounded.safetensors"
    facts = quantize_calibrated(
        tmp_path / "model", encoded(EXAMPLES), "int4", "gptq", output, tmp_path / "log.txt", count=20
    )
    found: dict[str, Quantized] = dict(read_quantized(output))
    assert found.keys() == matrices(model).keys()
    assert EMBEDDING in found
    assert facts["examples"] == 20
    weights = {name: matrix.detach().numpy() for name, matrix in matrices(model).items()}
    for name, rounded in found.items():
        error = np.square(rounded.dequantized() - weights[name]).sum()
        assert 0 < error < 0.2 * np.square(weights[name]).sum()
    assert facts["peak_memory_bytes"] > 10**8


def test_without_examples_there_is_nothing_to_calibrate_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gptq needs training examples"):
        quantize_calibrated(tmp_path, encoded([]), "int4", "gptq", tmp_path / "out", tmp_path / "log")


def test_floats_have_no_integers_to_choose(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="requires an integer recipe, not fp16"):
        quantize_calibrated(tmp_path, encoded(EXAMPLES), "fp16", "gptq", tmp_path / "out", tmp_path / "log")


@pytest.mark.parametrize(("ffn", "tokens"), [(512, 1 << 12), (4096, 8192), (16384, 1 << 14)])
def test_tokens_follow_the_widest_matrix_within_bounds(ffn: int, tokens: int) -> None:
    assert token_limit(replace(SHAPE, ffn=ffn)) == tokens
