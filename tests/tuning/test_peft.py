"""Promise: a PEFT adapter adds what PEFT itself merges; whatever else it asks for is refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.gemma.matrices import PresetMatrices
from pipeline.tuning.load import load_deltas

NAME = "model.layers.0.self_attn.q_proj.weight"
TENSOR = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma as transformers writes it."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
    )
    path = tmp_path_factory.mktemp("peft") / "base"
    Gemma3ForCausalLM(config).save_pretrained(path)
    return path


def train(folder: Path, output: Path, dtype: str = "float32", **settings: Any) -> Path:
    """An adapter as PEFT saves it, with random A and B; the model as PEFT merges it lies beside."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Gemma3ForCausalLM

    torch.manual_seed(1)
    base = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter).to(getattr(torch, dtype))
    model.save_pretrained(str(output / "adapter"), save_embedding_layers=False)
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    model.merge_and_unload().save_pretrained(output / "merged")
    return output / "adapter"


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 10, "target_modules": ALL},
        {"r": 4, "lora_alpha": 10, "target_modules": ["q_proj", "down_proj"], "use_rslora": True},
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": "all-linear",
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 6},
            "alpha_pattern": {"k_proj": 3, "layers.0.mlp.down_proj": 5},
        },
        {"r": 4, "lora_alpha": 10, "target_modules": ALL, "use_dora": True},
        {"r": 4, "lora_alpha": 10, "target_modules": ALL, "use_dora": True, "use_rslora": True},
        {"r": 4, "lora_alpha": 8, "target_modules": ALL, "layers_to_transform": [1]},
        {"r": 4, "lora_alpha": 8, "target_modules": ALL, "dtype": "bfloat16"},
    ],
    ids=["all", "rank-stabilised", "patterns", "DoRA", "rank-stabilised DoRA", "one layer", "bfloat16"],
)
def test_it_adds_what_peft_merges(folder: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    adapter = train(folder, tmp_path, **settings)
    found = load_deltas(adapter)
    assert found.kind == "PEFT"
    before, after = PresetMatrices(folder), PresetMatrices(tmp_path / "merged")
    changed = {name for name in before.names() if not np.array_equal(before.read(name), after.read(name))}
    assert changed == set(found.matrices)
    for name, (shape, rows) in found.matrices.items():
        assert shape == before.shape(name)
        added = rows()(0, before.read(name))
        assert added.dtype == np.float32
        np.testing.assert_allclose(before.read(name) + added, after.read(name), rtol=0, atol=4e-6)
        assert np.array_equal(rows()(5, before.read(name)[5:9]), added[5:9])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bias": "lora_only"}, "bias is 'lora_only'"),
        ({"modules_to_save": ["norm"]}, r"modules_to_save is \['norm'\]"),
        ({"target_modules": ["embed_tokens"]}, "a merge would change both"),
        (
            {"init_lora_weights": "pissa"},
            "init_lora_weights is 'pissa': the adapter was trained on a modified base",
        ),
    ],
)
def test_what_peft_itself_wrote_but_is_more_than_a_and_b_is_refused(
    folder: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    every: dict[str, Any] = {"r": 4, "target_modules": ["q_proj"]} | settings
    adapter = train(folder, tmp_path, **every)
    refuse(adapter, message)


def refuse(adapter: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_deltas(adapter)
    assert "\n" not in str(refused.value)


def write(folder: Path, tensors: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A PEFT folder by hand."""
    import torch
    from safetensors.torch import save_file

    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config | changes))
    plain = {TENSOR.format("A"): torch.ones(2, 32), TENSOR.format("B"): torch.ones(32, 2)}
    save_file(plain | (tensors or {}), folder / "adapter_model.safetensors")
    return folder


def test_by_hand_it_is_scale_b_a(tmp_path: Path) -> None:
    ((name, (shape, rows)),) = load_deltas(write(tmp_path)).matrices.items()
    assert (name, shape) == (NAME, (32, 32))
    assert np.array_equal(
        rows()(0, np.zeros((32, 32), np.float32)), np.full((32, 32), 4.0)
    )  # alpha / r is 2, the product of ones 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA', expected 'LORA'"),
        ({"something_new": 1}, "something_new is 1"),
        ({"trainable_token_indices": [3]}, r"trainable_token_indices is \[3\]"),
        ({"lora_bias": True}, "lora_bias is True"),
        ({"use_qalora": True}, "use_qalora is True"),
        ({"r": 4}, r"A \(2, 32\) and B \(32, 2\), but adapter_config.json declares rank 4"),
    ],
)
def test_a_configuration_that_asks_for_more_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    refuse(write(tmp_path, **changes), message)


def test_tensors_that_are_no_a_and_b_are_refused(tmp_path: Path) -> None:
    import torch

    norm = "base_model.model.model.norm.weight"
    refuse(write(tmp_path, {norm: torch.ones(32)}), f"unsupported tensor {norm}; expected A or B")
    refuse(write(tmp_path, {TENSOR.format("A"): torch.ones(2, 32, dtype=torch.int8)}), "is stored as I8")
    lonely = TENSOR.replace("q_proj", "k_proj").format("B")
    refuse(write(tmp_path, {lonely: torch.ones(32, 2)}), "k_proj.weight lacks its A")


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, "no adapter in this folder")
    write(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"cut off")
    refuse(tmp_path, "damaged, or not a safetensors file")
    (tmp_path / "adapter_model.safetensors").unlink()
    refuse(tmp_path, r"adapter_model\.safetensors is missing")
