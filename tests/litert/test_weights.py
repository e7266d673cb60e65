"""Promise: every matrix is compared whole, whatever its type; one value, one scale or one row that is off is seen."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.litert import weights
from pipeline.litert.weights import StoredMatrix, missing_matrices
from tests.support.litertlm import quantise

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.standard_normal((6, 8)).astype(np.float32)
OTHER = RANDOM.standard_normal((6, 8)).astype(np.float32)


def store(matrix: NDArray[np.float32], dtype: str) -> StoredMatrix:
    """What a converter stores."""
    if dtype == "FLOAT32":
        return StoredMatrix((6, 8), dtype, matrix.reshape(-1).view(np.uint8))
    if dtype == "FLOAT16":
        return StoredMatrix((6, 8), dtype, matrix.astype(np.float16).reshape(-1).view(np.uint8))
    values, scales = quantise(matrix, 127 if dtype == "INT8" else 7)
    raw: NDArray[np.uint8] = values.reshape(-1).view(np.uint8).copy()
    if dtype == "INT4":
        raw = (raw[0::2] & np.uint8(0xF)) | (raw[1::2] << np.uint8(4))
    return StoredMatrix((6, 8), dtype, raw, [scales.copy(), scales.copy()])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"a": MATRIX, "b": OTHER, "norm": np.ones(8, np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture(params=["INT8", "INT4", "FLOAT16", "FLOAT32"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[StoredMatrix]:
    matrices = [store(OTHER, request.param), store(MATRIX, request.param)]
    monkeypatch.setattr(weights, "stored_matrices", lambda model: matrices)
    return matrices


def test_all_matrices_are_found_in_whatever_order_they_lie(stored: list[StoredMatrix], folder: Path) -> None:
    assert missing_matrices(b"", folder) == []


def test_a_matrix_that_is_not_there_is_named(stored: list[StoredMatrix], folder: Path) -> None:
    del stored[0]
    assert missing_matrices(b"", folder) == ["b"]


def test_one_damaged_byte_is_seen(stored: list[StoredMatrix], folder: Path) -> None:
    stored[1].raw = stored[1].raw.copy()
    stored[1].raw[-1] ^= 0x40
    assert missing_matrices(b"", folder) == ["a"]


def test_one_scale_off_in_one_signature_is_seen(stored: list[StoredMatrix], folder: Path) -> None:
    if not stored[1].scales:
        pytest.skip("floats have no scales")
    stored[1].scales[1][5] *= 1.5
    assert missing_matrices(b"", folder) == ["a"]


def test_matrices_larger_than_a_piece_are_compared_to_the_end(
    stored: list[StoredMatrix], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "ROWS", 4)
    assert missing_matrices(b"", folder) == []
    stored[1].raw = stored[1].raw.copy()
    stored[1].raw[-1] ^= 0x40
    assert missing_matrices(b"", folder) == ["a"]
