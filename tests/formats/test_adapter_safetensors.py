"""Promise: an adapter file is read as it was written, equal tensors give equal bytes, and what is not whole
is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import (
    HEADER,
    read_adapter_safetensors,
    write_adapter_safetensors,
)
from pipeline.formats.safetensors import read_safetensors

SETTINGS = {"rank": 2, "targets": ("query", "down")}
TENSORS = {
    "decoder_block_1.query.lora_a": np.full((3, 8, 2), 0.5, np.float32),
    "decoder_block_0.down.lora_b": np.zeros((2, 4), np.float32),
    "decoder_block_0.down.lora_a": np.ones((2, 4), np.float32),
    "model.embed_tokens.weight.scales": np.full((8, 1), 0.5, np.float32),
}


def write(path: Path, tensors: dict[str, np.ndarray] = TENSORS) -> Path:
    write_adapter_safetensors(path, "pocketgemma-test-1", "ab" * 32, SETTINGS, tensors)
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = read_adapter_safetensors(write(tmp_path / "a"))
    assert (file.format, file.base_digest) == ("pocketgemma-test-1", "ab" * 32)
    assert file.settings == {"rank": 2, "targets": ["query", "down"]}
    assert list(file.tensors) == sorted(TENSORS)
    for name, tensor in TENSORS.items():
        assert np.array_equal(file.tensors[name].read_all(), tensor)


def test_matrices_are_counted_once_and_other_tensors_never(tmp_path: Path) -> None:
    file = read_adapter_safetensors(write(tmp_path / "a"))
    assert file.matrices == ["decoder_block_0.down", "decoder_block_1.query"]


def test_the_order_of_the_tensors_does_not_change_the_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", dict(reversed(TENSORS.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_is_what_the_library_writes_and_others_may_read_it(tmp_path: Path) -> None:
    tensors = TENSORS | {
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "one": np.array(2, np.float32),
    }
    write(tmp_path / "a", tensors)
    metadata = read_safetensors(tmp_path / "a").metadata
    contiguous = {name: np.array(tensor, order="C") for name, tensor in tensors.items()}
    assert (tmp_path / "a").read_bytes() == save(contiguous, metadata=dict(metadata))
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize(
    ("metadata", "dtype", "message"),
    [
        ({}, np.float32, r"expected the adapter\.safetensors of a finetune stage"),
        ({HEADER: "{"}, np.float32, "damaged: its header cannot be read"),
        ({HEADER: "[1]"}, np.float32, "damaged: its header cannot be read"),
        (
            {HEADER: json.dumps({"format": "pocketgemma-test-1"})},
            np.float32,
            "damaged: its header cannot be read",
        ),
        (
            {HEADER: json.dumps({"format": "x", "base_digest": "ab"})},
            np.int32,
            "is stored as I32, expected F32",
        ),
    ],
)
def test_what_is_no_whole_adapter_is_refused(
    tmp_path: Path, metadata: dict[str, str], dtype: Any, message: str
) -> None:
    save_file(
        {name: array.astype(dtype) for name, array in TENSORS.items()}, tmp_path / "a", metadata=metadata
    )
    with pytest.raises(InputError, match=message) as error:
        read_adapter_safetensors(tmp_path / "a")
    assert "\n" not in str(error.value)


def test_a_truncated_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated"):
        read_adapter_safetensors(path)
    with pytest.raises(InputError, match="No such file"):
        read_adapter_safetensors(tmp_path / "b")
