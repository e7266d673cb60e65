"""Promise: a GGUF's tensors are read as they are stored, whole or in shards; a damaged file is one line."""

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING
from pipeline.formats.gguf import read_gguf
from tests.support.gguf_files import llama_cpp_name, random_weights, write_gguf

WIDE = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
"""Quantizations in blocks of 32 values that the package can write."""


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_floats_are_read_as_stored(tmp_path: Path, kind: str) -> None:
    weights = random_weights()
    source = read_gguf(write_gguf(tmp_path / "a.gguf", weights, stored_as=lambda name: kind))
    tensor = source.tensors[llama_cpp_name(EMBEDDING)]
    stored = gguf.quants.quantize(weights[EMBEDDING], gguf.GGMLQuantizationType[kind])
    expected = gguf.quants.dequantize(stored, gguf.GGMLQuantizationType[kind])
    assert (tensor.quantization, tensor.shape) == (kind, weights[EMBEDDING].shape)
    assert np.array_equal(tensor.values(), expected)
    assert np.abs(tensor.values() - weights[EMBEDDING]).max() < 4e-3
    assert not source.quantized


@pytest.mark.parametrize("kind", WIDE)
def test_a_quantized_tensor_is_dequantized(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(1).normal(0, 1, (6, 64)).astype(np.float32)
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "gemma3")
    stored = gguf.GGMLQuantizationType[kind]
    writer.add_tensor("t", gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    source = read_gguf(tmp_path / "a.gguf")
    found = source.tensors["t"].values()
    assert source.quantized and source.quantizations == {kind: 1}
    assert found.shape == values.shape and found.dtype == np.float32
    # Half a step of 4 bits over a range of about six, and not the values themselves.
    assert 0 < np.abs(found - values).max() < 0.4


def test_a_type_that_cannot_be_dequantized_is_named(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "gemma3")
    writer.add_tensor("t", np.zeros((2, 8), np.int32), raw_dtype=gguf.GGMLQuantizationType.I32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match="tensor t is stored as I32, which cannot be dequantized"):
        read_gguf(tmp_path / "a.gguf").tensors["t"].values()


@pytest.mark.parametrize("given", [0, 1, 2])
def test_any_shard_stands_for_all(tmp_path: Path, given: int) -> None:
    weights = random_weights()
    write_gguf(tmp_path / "model.gguf", weights, shards=3)
    paths = sorted(tmp_path.glob("model-*.gguf"))
    source = read_gguf(paths[given])
    assert len(paths) == 3 and source.paths == tuple(paths)
    assert source.tensors.keys() == {llama_cpp_name(name) for name in weights}
    assert source.metadata["general.architecture"] == "gemma3"


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", shards=3)
    first, second, _ = sorted(tmp_path.glob("model-*.gguf"))
    second.unlink()
    with pytest.raises(InputError, match=f"missing shards: {second.name}"):
        read_gguf(first)


def test_a_renamed_shard_is_not_taken_for_a_whole_file(tmp_path: Path) -> None:
    first = write_gguf(tmp_path / "model.gguf", shards=3)
    renamed = shutil.copyfile(first, tmp_path / "gemma.gguf")
    with pytest.raises(InputError, match="one of 3 shards, but its name does not end in"):
        read_gguf(renamed)


def test_a_shard_that_stands_for_another_is_refused(tmp_path: Path) -> None:
    first, second, _ = _shards(tmp_path)
    shutil.copyfile(first, second)
    with pytest.raises(InputError, match=r"duplicate tensor .+; download"):
        read_gguf(first)


def _shards(folder: Path) -> list[Path]:
    write_gguf(folder / "model.gguf", shards=3)
    return sorted(folder.glob("model-*.gguf"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.3, 0.7, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="truncated or damaged GGUF|not a GGUF file"):
        read_gguf(path)


def test_other_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGML and something else")
    with pytest.raises(InputError, match="not a GGUF file: it does not begin with GGUF"):
        read_gguf(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="a.gguf: a Git LFS pointer, not the weights; run: git lfs pull"):
        read_gguf(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.gguf: cannot be read: No such file"):
        read_gguf(tmp_path / "none.gguf")
