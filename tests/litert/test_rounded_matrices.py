"""Promise: a graft is given the matrices that differ from the converted base, rounded as requested, and no
others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.families.names import hugging_face_name
from pipeline.litert import rounded_matrices as module
from pipeline.litert.rounded_matrices import RoundedMatrices, base_matrices, merged_matrices
from pipeline.quantization.quantized_file import write_quantized
from pipeline.quantization.rounding import Quantized, least_squares, nearest, with_scales
from pipeline.run.files import LogFiles
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.methods.quantization_aware import with_trained_scales
from tests.support.grafting import HIDDEN, matrices_of, write_folder

QUERY = "decoder_block_1.query"
TENSORS = {QUERY: (np.ones((2, HIDDEN, 1), np.float32), np.ones((1, 32), np.float32))}
ADAPTER = LoraFactors(1, 1.0, ("query",), TENSORS).adapter("")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder")


def no_examples() -> Any:
    pytest.fail("read the examples")


def dequantized(matrices: RoundedMatrices) -> dict[str, np.ndarray]:
    found = {}
    for name, matrix in matrices:
        pieces = [matrix] if isinstance(matrix, Quantized) else list(matrix)
        found[name] = np.concatenate([piece.dequantized() for piece in pieces])
    return found


def expected(folder: Path, rounding: Callable[..., Quantized]) -> dict[str, np.ndarray]:
    return {name: rounding(matrix, 4, None).dequantized() for name, matrix in matrices_of(folder).items()}


def assert_equal(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_rounded_to_nearest_only_matrices_with_an_adapter_differ(folder: Path, tmp_path: Path) -> None:
    found = merged_matrices(folder, ADAPTER, "int4", "nearest", no_examples, LogFiles(tmp_path))
    name = hugging_face_name(QUERY)
    assert_equal(dequantized(found), {name: expected(folder, nearest)[name]})


def test_by_least_squares_all_matrices_differ(folder: Path, tmp_path: Path) -> None:
    found = merged_matrices(folder, ADAPTER, "int4", "least_squares", no_examples, LogFiles(tmp_path))
    assert_equal(dequantized(found), expected(folder, least_squares))


def test_trained_scales_round_all_matrices(folder: Path, tmp_path: Path) -> None:
    scales = {
        f"{name}.scales": np.full((len(matrix), 1), 0.3, np.float32)
        for name, matrix in matrices_of(folder).items()
    }
    adapter = with_trained_scales(ADAPTER, "int4", scales)
    found = merged_matrices(folder, adapter, "int4", "quantization_aware", no_examples, LogFiles(tmp_path))

    def trained(matrix: np.ndarray, bits: int, block: None) -> Quantized:
        return with_scales(matrix, np.full((len(matrix), 1), 0.3, np.float32), bits)

    assert_equal(dequantized(found), expected(folder, trained))


def test_a_calibrated_rounding_reads_the_examples_and_leaves_only_its_log(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def calibrate(model: Path, examples: str, recipe: str, rounding: str, output: Path, log: Path) -> None:
        assert (model, examples, recipe, rounding) == (folder, "examples", "int4", "gptq")
        rounded = {name: nearest(matrix, 4) for name, matrix in matrices_of(folder).items()}
        write_quantized(output, rounded, {})
        log.write_text("noise")

    def examples() -> Any:
        read.append(True)
        return "examples"

    monkeypatch.setattr(module, "quantize_calibrated", calibrate)
    logs = LogFiles(tmp_path)
    found = merged_matrices(folder, ADAPTER, "int4", "gptq", examples, logs)
    assert not read, "the examples are read before the first matrix is needed"
    assert_equal(dequantized(found), expected(folder, nearest))
    assert read == [True]
    assert logs.rounding.exists()
    assert not logs.rounded.exists()


def test_the_converted_base_already_holds_the_base_rounded_to_nearest(folder: Path) -> None:
    assert list(base_matrices(folder, "int4", "nearest")) == []
    assert_equal(dequantized(base_matrices(folder, "int4", "least_squares")), expected(folder, least_squares))
