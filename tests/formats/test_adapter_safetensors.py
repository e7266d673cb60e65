"""Promise: an adapter file is read as it was written, equal tensors give equal bytes, and what is not whole is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import (
    FORMAT,
    HEADER,
    AdapterHeader,
    read_adapter_safetensors,
    write_adapter_safetensors,
)

HEADER_OF_TWO = AdapterHeader(2, 4.0, ("query", "down"), "ab" * 32)
FACTORS = {
    "decoder_block_1.query": (np.full((3, 8, 2), 0.5, np.float32), np.ones((2, 4), np.float32)),
    "decoder_block_0.down": (np.full((8, 2), 2.0, np.float32), np.zeros((2, 4), np.float32)),
}
SCALES = {"model.embed_tokens.weight": np.full((8, 1), 0.5, np.float32)}


def write(path: Path, header: AdapterHeader = HEADER_OF_TWO, scales: dict[str, Any] | None = None) -> Path:
    write_adapter_safetensors(path, header, FACTORS, scales or {})
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = read_adapter_safetensors(write(tmp_path / "a"))
    assert file.header == HEADER_OF_TWO
    assert list(file.factors) == sorted(FACTORS)
    for name, (a, b) in FACTORS.items():
        assert np.array_equal(file.factors[name][0].read_all(), a)
        assert np.array_equal(file.factors[name][1].read_all(), b)
    assert len(file.tensors) == 4
    assert file.scales == {}


def test_scales_come_with_their_recipe_and_an_ordinary_adapter_names_none(tmp_path: Path) -> None:
    header = AdapterHeader(2, 4.0, ("query", "down"), "ab" * 32, "int4")
    assert read_adapter_safetensors(write(tmp_path / "plain", header)).header == HEADER_OF_TWO
    assert b"recipe" not in (tmp_path / "plain").read_bytes()
    file = read_adapter_safetensors(write(tmp_path / "rounded", header, SCALES))
    assert file.header == header
    assert set(file.factors) == set(FACTORS)
    assert np.array_equal(
        file.scales["model.embed_tokens.weight"].read_all(), SCALES["model.embed_tokens.weight"]
    )


def test_the_order_of_the_tensors_does_not_change_the_bytes(tmp_path: Path) -> None:
    write_adapter_safetensors(tmp_path / "a", HEADER_OF_TWO, FACTORS, {})
    write_adapter_safetensors(tmp_path / "b", HEADER_OF_TWO, dict(reversed(FACTORS.items())), {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def damaged(path: Path, document: Any, without: str = "", dtype: Any = np.float32) -> Path:
    arrays = {name: array.astype(dtype) for name, array in load_file(write(path)).items() if name != without}
    save_file(arrays, path, metadata={HEADER: json.dumps(document)})
    return path


@pytest.mark.parametrize(
    ("document", "without", "dtype", "message"),
    [
        ({}, "", np.float32, f"not a {FORMAT} file; expected the adapter.safetensors"),
        ({"format": FORMAT}, "", np.float32, "damaged: its header cannot be read"),
        ([1], "", np.float32, "damaged: its header cannot be read"),
        (
            {"format": FORMAT, "rank": 2, "alpha": 4.0, "targets": ["query"], "base_digest": "ab"},
            "decoder_block_1.query.lora_a",
            np.float32,
            r"lacks decoder_block_1\.query\.lora_a; train it again",
        ),
        (
            {"format": FORMAT, "rank": 2, "alpha": 4.0, "targets": ["query"], "base_digest": "ab"},
            "",
            np.int32,
            "is stored as I32, expected F32",
        ),
    ],
)
def test_what_is_no_whole_adapter_is_refused(
    tmp_path: Path, document: Any, without: str, dtype: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_adapter_safetensors(damaged(tmp_path / "a", document, without, dtype))
    assert "\n" not in str(error.value)


def test_a_truncated_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated"):
        read_adapter_safetensors(path)
    with pytest.raises(InputError, match="No such file"):
        read_adapter_safetensors(tmp_path / "b")
