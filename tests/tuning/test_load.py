"""Adapters are read whole or refused, ours by any name of file or folder."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.formats.peft import PeftFactors, lora_content, write_peft_folder
from pipeline.tuning.load import load_adapter, load_deltas, read_checked
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.peft import peft_runtime_factors

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


def test_a_folder_of_checkpoints_names_those_inside(tmp_path: Path) -> None:
    for name in ("checkpoint-900", "checkpoint-1200", "logs"):
        (tmp_path / name).mkdir()
    for name in ("checkpoint-900", "checkpoint-1200"):
        (tmp_path / name / "adapter_config.json").touch()
    with pytest.raises(
        InputError, match="name one of the folders in it: checkpoint-900, checkpoint-1200$"
    ) as caught:
        load_deltas(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: no adapter in this folder; ")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_adapter_with_values_that_are_no_numbers_is_refused(tmp_path: Path, value: float) -> None:
    a, b = np.ones((6, 2), np.float32), np.ones((2, 4), np.float32)
    a[3, 1] = value
    LoraFactors(2, 1.0, ("down",), {NAME: (a, b)}).adapter("abc").save(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match=rf"{NAME}\.lora_a contains NaN or infinite values"):
        load_adapter(tmp_path / "adapter.safetensors")


def write_peft(folder: Path, a: NDArray[np.float32], b: NDArray[np.float32]) -> Path:
    module = PeftFactors(a, b, 4.0)
    content = lora_content({"model.layers.0.self_attn.q_proj": module, "model.layers.1.mlp.up_proj": module})
    write_peft_folder(folder, content)
    return folder


@pytest.mark.parametrize("part", ["A", "B"])
def test_a_peft_adapter_with_values_that_are_no_numbers_is_refused(tmp_path: Path, part: str) -> None:
    a, b = np.ones((2, 6), np.float32), np.ones((4, 2), np.float32)
    (a if part == "A" else b)[1, 1] = np.nan
    folder = write_peft(tmp_path / "peft", a, b)
    for read in (load_deltas, peft_runtime_factors):
        with pytest.raises(InputError, match=f"adapter_model.safetensors: {part} of model.layers.0.* NaN"):
            read(folder)


def test_an_adapter_that_was_never_trained_is_refused(tmp_path: Path) -> None:
    a, b = np.ones((2, 6), np.float32), np.zeros((4, 2), np.float32)
    folder = write_peft(tmp_path / "peft", a, b)
    with pytest.raises(InputError, match="adapter_model.safetensors: the adapter changes nothing: B is zero"):
        load_deltas(folder)
    own = LoraFactors(
        2, 1.0, ("query",), {"decoder_block_0.query": (np.ones((1, 6, 2), np.float32), b.T)}
    ).adapter("abc")
    own.save(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match="the adapter changes nothing: B is zero"):
        load_deltas(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match="the adapter changes nothing: B is zero"):
        own.method.runtime_factors(own)


@pytest.mark.parametrize(
    ("zeros", "said"),
    [
        ("A", "A is zero in every matrix; train"),
        ("AB", "B is zero in every matrix, as before training; train"),
    ],
)
def test_which_factor_is_zero_is_said(tmp_path: Path, zeros: str, said: str) -> None:
    a, b = np.full((2, 6), "A" not in zeros, np.float32), np.full((4, 2), "B" not in zeros, np.float32)
    with pytest.raises(InputError, match=f"the adapter changes nothing: {said}"):
        load_deltas(write_peft(tmp_path / "peft", a, b))


def test_zeros_in_one_factor_of_each_matrix_change_nothing(tmp_path: Path) -> None:
    ones, zeros = np.ones((2, 6), np.float32), np.zeros((4, 2), np.float32)
    modules = {
        "model.layers.0.self_attn.q_proj": PeftFactors(ones, zeros, 4.0),
        "model.layers.1.mlp.up_proj": PeftFactors(ones * 0, zeros + 1, 4.0),
    }
    write_peft_folder(tmp_path, lora_content(modules))
    with pytest.raises(InputError, match="changes nothing: A or B is zero in every matrix; train"):
        load_deltas(tmp_path)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("value", "alpha"), [(1e30, 4.0), (1.0, 1e308)])
def test_a_product_that_the_runtime_cannot_compute_is_refused(
    tmp_path: Path, value: float, alpha: float
) -> None:
    a, b = np.full((2, 6), value, np.float32), np.full((4, 2), value, np.float32)
    write_peft_folder(tmp_path, lora_content({"model.layers.0.self_attn.q_proj": PeftFactors(a, b, alpha)}))
    message = r"layers.0.self_attn.q_proj.weight: infinite or NaN after adding the adapter"
    with pytest.raises(InputError, match=f"adapter_model.safetensors: model.{message}"):
        peft_runtime_factors(tmp_path)
    pair = (a.T.reshape(1, 6, 2), np.ascontiguousarray(b.T))
    own = LoraFactors(2, alpha, ("query",), {"decoder_block_0.query": pair}).adapter("abc")
    with pytest.raises(InputError, match="decoder_block_0.query: infinite or NaN after adding the adapter"):
        own.method.runtime_factors(own)


def test_large_factors_with_a_product_of_ordinary_size_are_taken(tmp_path: Path) -> None:
    a, b = np.full((2, 6), 1e30, np.float32), np.full((4, 2), 1e-30, np.float32)
    a[1], b[3, 1], b[:3, 1] = 0, 1e30, 0  # the bound of the product is beyond float32, the product is not
    write_peft_folder(tmp_path, lora_content({"model.layers.0.self_attn.q_proj": PeftFactors(a, b, 2.0)}))
    assert peft_runtime_factors(tmp_path)["query", 0][0].shape == (6, 2)
