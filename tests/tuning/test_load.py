"""Adapters are read whole or refused, ours by any name of file or folder."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.tuning.load import load_adapter, load_deltas, read_checked
from pipeline.tuning.methods.lora import LoraFactors

NAME = "decoder_block_0.down"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pair = (np.ones((6, 2), np.float32), np.ones((2, 4), np.float32))
    LoraFactors(2, 1.0, ("down",), {NAME: pair}).adapter("abc").save(tmp_path / "adapter.safetensors")
    return tmp_path / "adapter.safetensors"


def test_a_truncated_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="truncated"):
        load_adapter(path)


def test_a_missing_file_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_adapter(tmp_path / "none.safetensors")
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"expected the adapter\.safetensors of a finetune stage"):
        load_adapter(tmp_path / "x.safetensors")


def test_the_header_alone_names_base_and_matrices(path: Path) -> None:
    file = read_checked(path)
    assert (file.base_digest, file.matrices, file.settings["rank"]) == ("abc", [NAME], 2)


def test_a_file_and_its_folder_give_the_same_additions(path: Path) -> None:
    for place in (path, path.parent):
        deltas = load_deltas(place)
        assert (deltas.kind, deltas.base_digest, dict(deltas.scales)) == ("PocketGemma", "abc", {})
        ((name, (shape, prepare)),) = deltas.matrices.items()
        assert (name, shape) == ("model.layers.0.mlp.down_proj.weight", (4, 6))
        np.testing.assert_array_equal(prepare()(1, np.zeros((2, 6), np.float32)), np.ones((2, 6)))


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="no adapter in this folder; expected adapter.safetensors, or PEFT's"
    ):
        load_deltas(tmp_path)
