"""Promise: adapters of all three forms are reported with rank, base and matrices; what is damaged is
refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.families.names import norm_shapes
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_report
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.base_weights import shape_document
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.registry import METHODS
from tests.inspect.conftest import write_runtime_adapter
from tests.support.presets import SHAPE


def test_a_run_time_adapter_is_reported_with_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_runtime_adapter(tmp_path / "adapter.tflite")
    found = inspect_file(path)
    adapter = found.adapter
    assert adapter is not None
    assert (adapter.form, adapter.name, adapter.rank, adapter.base) == ("runtime", "Grüße", 16, "ab" * 32)
    assert (set(adapter.targets), adapter.matrices) == ({"query", "output"}, 4)
    assert adapter.parameters == 4 * (8 * 16 + 16 * 12)
    assert {tensor.shape for tensor in adapter.tensors} == {(8, 16), (16, 12)}
    print_report(found)
    assert "lora_atten_q_a_prime_weight_*" in capsys.readouterr().out


def test_a_damaged_or_truncated_adapter_is_refused(tmp_path: Path) -> None:
    content = write_runtime_adapter(tmp_path / "whole.tflite").read_bytes()
    path = tmp_path / "adapter.tflite"
    damaged = bytearray(content)
    damaged[content.index(np.ones(8, np.float32).tobytes())] ^= 1
    for bad, message in (
        (bytes(damaged), "damaged"),
        (content[:4096], "truncated"),
        (content[:300], "damaged"),
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=rf"adapter\.tflite.*{message}"):
            inspect_file(path)


def test_our_adapter_is_reported_with_its_rank_and_base(tmp_path: Path) -> None:
    pair = (np.zeros((8, 2), np.float32), np.zeros((2, 4), np.float32))
    names = [f"decoder_block_{layer}.{target}" for layer in (0, 1) for target in ("query", "value")]
    path = tmp_path / "adapter.safetensors"
    LoraFactors(2, 4.0, ("query", "value"), dict.fromkeys(names, pair)).adapter("ab" * 32).save(path)
    adapter = inspect_file(path).adapter
    assert adapter is not None
    assert (adapter.form, adapter.rank, adapter.alpha, adapter.base) == ("pocketgemma", 2, 4.0, "ab" * 32)
    assert (adapter.targets, adapter.matrices, adapter.parameters) == (("query", "value"), 4, 4 * 24)


def test_an_adapter_of_whole_weights_is_reported_with_its_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = norm_shapes(SHAPE)
    settings = {"method": "norms", "shape": shape_document(SHAPE)}
    tensors = {name: np.ones(size, np.float32) for name, size in shape.items()}
    Adapter(METHODS["norms"], "ab" * 32, settings, tensors).save(tmp_path / "adapter.safetensors")
    found = inspect_file(tmp_path / "adapter.safetensors")
    assert found.adapter is not None
    assert (found.adapter.method, found.adapter.rank, found.adapter.matrices) == ("Norm tuning", None, 0)
    print_report(found)
    text = " ".join(capsys.readouterr().out.split())
    assert f"method Norm tuning changes {len(tensors)} weights" in text


@pytest.mark.parametrize(
    ("changes", "targets", "notes"),
    [
        ({"lora_alpha": "16"}, ("q_proj",), ("lora_alpha is '16': not a number",)),
        ({"target_modules": 5}, ("5",), ()),
        ({"target_modules": None}, (), ()),
        ({"target_modules": [5, "q_proj"]}, ("5", "q_proj"), ()),
    ],
)
def test_a_peft_folder_of_any_configuration_is_reported(
    tmp_path: Path, changes: dict[str, object], targets: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    config = {"r": 8, "lora_alpha": 16, "target_modules": "q_proj"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | changes))
    save_file({"x.lora_A.weight": np.zeros((8, 4), np.float16)}, tmp_path / "adapter_model.safetensors")
    found = inspect_file(tmp_path)
    assert found.adapter is not None
    assert (found.adapter.targets, found.notes) == (targets, notes)
    print_report(found, everything=True)


def test_a_peft_folder_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "peft"
    folder.mkdir()
    config: dict[str, Any] = {
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["v_proj", "q_proj"],
        "base_model_name_or_path": "google/gemma",
    }
    config |= dict.fromkeys(("use_bdlora", "use_dora", "use_rslora"), True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((8, 4), np.float16),
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": np.zeros((4, 8), np.float16),
        },
        str(folder / "adapter_model.safetensors"),
    )
    found = inspect_file(folder)
    assert found.adapter is not None
    assert (found.adapter.form, found.adapter.rank, found.adapter.alpha) == ("peft", 8, 16)
    assert (found.adapter.targets, found.adapter.matrices) == (("q_proj", "v_proj"), 1)
    assert {tensor.dtype for tensor in found.adapter.tensors} == {"FLOAT16"}
    assert found.notes == (
        "the scaling is rank-stabilized: the scale is alpha / √rank",
        "DoRA: the rows of each matrix are rescaled to learned magnitudes",
        "use_bdlora is True: goes beyond LoRA",
    )
    with pytest.raises(
        InputError,
        match="expected the adapter.safetensors of a finetune stage, or the folder of a PEFT adapter",
    ):
        inspect_file(folder / "adapter_model.safetensors")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is missing"):
        inspect_file(folder)
