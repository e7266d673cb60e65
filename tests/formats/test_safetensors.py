"""Promise: tensors are read as the library wrote them, a few rows at a time; what is not whole is refused
before anything trusts it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from pipeline.errors import InputError
from pipeline.formats.safetensors import float_tensors, read_safetensors, widen, write_float32

RANDOM = np.random.default_rng(0)
TENSORS: dict[str, np.ndarray] = {
    "matrix": RANDOM.standard_normal((30, 8)).astype(np.float32),
    "half": RANDOM.standard_normal((5, 2, 3)).astype(np.float16),
    "ids": np.arange(6, dtype=np.int64),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 4), np.float32),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"key": "Grüße"})
    return tmp_path / "x.safetensors"


def test_what_the_library_wrote_is_read(path: Path) -> None:
    file = read_safetensors(path)
    assert file.metadata == {"key": "Grüße"}
    assert {name: tensor.shape for name, tensor in file.tensors.items()} == {
        name: tensor.shape for name, tensor in TENSORS.items()
    }
    assert file.tensors["ids"].dtype == "I64"
    assert file.elements == sum(tensor.size for tensor in TENSORS.values())
    for name, tensor in float_tensors(path).items():
        assert np.array_equal(tensor.read_all(), TENSORS[name].astype(np.float32))
        assert tensor.read_all().dtype == np.float32
    assert set(float_tensors(path)) == set(TENSORS) - {"ids"}


def test_rows_are_those_of_the_whole(path: Path) -> None:
    tensors = float_tensors(path)
    assert np.array_equal(tensors["matrix"].read(7, 19), TENSORS["matrix"][7:19])
    assert np.array_equal(tensors["half"].read(1, 2), TENSORS["half"][1:2].astype(np.float32))


def test_every_bfloat16_is_widened_without_loss() -> None:
    values = np.arange(1 << 16, dtype=np.uint16)
    wide = widen(values)
    assert wide.dtype == np.float32
    assert np.array_equal(wide.view(np.uint32) >> 16, values)
    assert not (wide.view(np.uint32) & 0xFFFF).any()


def test_the_library_reads_what_was_written_in_pieces(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.formats.safetensors.ROWS_AT_A_TIME", 20)
    write_float32(float_tensors(path), tmp_path / "y.safetensors")
    written = load_file(tmp_path / "y.safetensors")
    assert set(written) == set(TENSORS) - {"ids"}
    for name, tensor in written.items():
        assert tensor.dtype == np.float32
        assert np.array_equal(tensor, TENSORS[name].astype(np.float32))
    with safe_open(tmp_path / "y.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("left", [-1, 200, 20, 4, 0])
def test_a_truncated_file_is_refused(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=r"x\.safetensors: (truncated|damaged)") as error:
        read_safetensors(path)
    assert "\n" not in str(error.value)


def write(path: Path, header: Any, content: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([], "damaged, or not a safetensors file: its header is not a JSON object; copy or"),
        ({"a": 3}, "damaged, or not a safetensors file: its header describes a as 3, expected an object"),
        ({"a": None}, "its header describes a as None, expected an object"),
        ({"__metadata__": "x"}, "its __metadata__ is not an object"),
        ({"a": {"dtype": "F32", "shape": [2]}}, "its header lacks 'data_offsets' of a; copy"),
        ({"a": {"dtype": 5, "shape": [2], "data_offsets": [0, 8]}}, "the dtype of a is 5"),
        ({"a": {"dtype": "F32", "shape": None, "data_offsets": [0, 8]}}, "a has a shape of None"),
        ({"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}}, r"a has a shape of \('2',\)"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, r"the data_offsets of a are \[0\]"),
        ({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, "a has 8 bytes"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, "expected it to begin at 0"),
        ({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, r"a shape of \(-1, -2\)"),
        (
            {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
            "damaged: .* bytes, its header declares",
        ),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, "truncated: "),
    ],
)
def test_a_header_that_does_not_fit_the_file_is_refused(tmp_path: Path, header: Any, message: str) -> None:
    """As the library does, which every reader of these files relies on."""
    path = tmp_path / "x.safetensors"
    write(path, header, bytes(8))
    with pytest.raises(InputError, match=message) as error:
        read_safetensors(path)
    assert "\n" not in str(error.value)
    with pytest.raises((SafetensorError, ValueError)), safe_open(path, framework="numpy"):
        pass


def test_damage_anywhere_in_the_header_is_refused_or_read_within_the_file(path: Path) -> None:
    content = path.read_bytes()
    refused = 0
    for place in range(8 + int.from_bytes(content[:8], "little")):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            tensors = read_safetensors(path).tensors
        except InputError:
            refused += 1
            continue
        assert all(0 <= tensor.offset <= len(content) for tensor in tensors.values())
    assert refused > 100


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_safetensors(tmp_path / "x.safetensors")


def test_a_header_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    text = b"[" * 100_000
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(InputError, match="its header is not JSON: its values are nested too deeply; copy or"):
        read_safetensors(tmp_path / "x.safetensors")
