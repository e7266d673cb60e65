"""Promise: rounded matrices come back from their file as they were; what is no such file, or a damaged one,
is refused in a line."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.quantization.quantized_file import read_facts, read_quantized, write_quantized
from pipeline.quantization.rounding import Quantized, nearest

RANDOM = np.random.default_rng(0)
MATRICES = {
    "a": nearest(RANDOM.standard_normal((6, 64)).astype(np.float32), 4),
    "b": nearest(RANDOM.standard_normal((6, 64)).astype(np.float32), 4, 32),
    "c": nearest(RANDOM.standard_normal((5, 8)).astype(np.float32), 8),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_quantized(tmp_path / "rounded.safetensors", MATRICES, {"examples": 3})
    return tmp_path / "rounded.safetensors"


def test_matrices_come_back_as_they_were(path: Path) -> None:
    found = dict(read_quantized(path))
    assert list(found) == ["a", "b", "c"]
    for name, matrix in MATRICES.items():
        assert np.array_equal(found[name].values, matrix.values)
        assert np.array_equal(found[name].scales, matrix.scales)
        assert found[name].bits == matrix.bits
    assert read_facts(path) == {"examples": 3}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_facts, lambda path: list(read_quantized(path))):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "none.safetensors")


def test_a_cut_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])
    for read in (read_facts, lambda path: list(read_quantized(path))):
        with pytest.raises(InputError, match="damaged, or not a file of quantized matrices"):
            read(path)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.ones((2, 2), np.float32)}, tmp_path / "model.safetensors")
    for read in (read_facts, lambda path: list(read_quantized(path))):
        with pytest.raises(InputError, match="damaged, or not a file of quantized matrices"):
            read(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "wrong",
    [
        Quantized(np.full((2, 4), 8, np.int8), np.ones((2, 1), np.float32), 4),
        Quantized(np.full((2, 4), 1, np.int8), np.ones((3, 1), np.float32), 4),
        Quantized(np.full((2, 4), 1, np.int8), np.ones((2, 3), np.float32), 4),
    ],
    ids=["beyond its bits", "scales for other rows", "blocks that do not fit"],
)
def test_a_matrix_that_does_not_fit_its_bits_or_scales_is_refused(tmp_path: Path, wrong: Quantized) -> None:
    write_quantized(tmp_path / "rounded.safetensors", {"a": wrong}, {})
    with pytest.raises(InputError, match="a is not a 4-bit matrix"):
        list(read_quantized(tmp_path / "rounded.safetensors"))
