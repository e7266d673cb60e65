"""Promise: A, B and scale of a PEFT folder are what PEFT would merge; what is more than LoRA or DoRA, or not
whole, is refused by name."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.formats.peft import (
    CONFIG,
    WEIGHTS,
    PeftFactors,
    lora_content,
    read_peft_folder,
    write_peft_folder,
)

MODULES = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj")


def write(folder: Path, tensors: dict[str, np.ndarray] | None = None, **changes: Any) -> Path:
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "target_modules": ["q_proj"], "bias": "none"}
    (folder / CONFIG).write_text(json.dumps(config | changes))
    plain = {}
    for module in MODULES:
        plain[f"base_model.model.{module}.lora_A.weight"] = np.ones((2, 6), np.float32)
        plain[f"base_model.model.{module}.lora_B.weight"] = np.ones((4, 2), np.float16)
    save_file(
        {name: array for name, array in (plain | (tensors or {})).items() if array.size}, folder / WEIGHTS
    )
    return folder


@pytest.mark.parametrize(
    ("changes", "scales"),
    [
        ({}, (4.0, 4.0)),
        ({"use_rslora": True}, (8 / math.sqrt(2), 8 / math.sqrt(2))),
        ({"alpha_pattern": {"up_proj": 3}}, (4.0, 1.5)),
        ({"r": 16, "rank_pattern": {r"layers\.\d+\.(mlp|self_attn)\.\w+": 2}}, (4.0, 4.0)),
        ({"use_dora": False, "bias": "none", "modules_to_save": None}, (4.0, 4.0)),
    ],
)
def test_each_matrix_has_a_b_and_the_configured_scale(
    tmp_path: Path, changes: dict[str, Any], scales: tuple[float, float]
) -> None:
    pairs = read_peft_folder(write(tmp_path, **changes)).pairs()
    assert list(pairs) == [f"{module}.weight" for module in MODULES]
    assert tuple(pair.scale for pair in pairs.values()) == scales
    for pair in pairs.values():
        assert (pair.a.shape, pair.b.shape) == ((2, 6), (4, 2))
        assert np.array_equal(pair.b.read_all(), np.ones((4, 2), np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA', expected 'LORA'"),
        ({"use_dora": "yes"}, "use_dora is 'yes', expected true or false; set the value"),
        ({"use_dora": True}, "q_proj.weight lacks its magnitude; save the adapter again"),
        ({"something_new": 1}, "something_new is 1: only LoRA and DoRA of linear layers"),
        ({"init_lora_weights": "PiSSA_niter_4"}, "trained on a modified base"),
        ({"r": 4}, "declares rank 4"),
        ({"r": None}, "r is missing, expected a whole number, 1 or more"),
        ({"r": "8"}, "r is '8', expected a whole number"),
        ({"r": True}, "r is True, expected a whole number"),
        ({"lora_alpha": None}, "lora_alpha is missing, expected a number other than 0; set the value"),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan, expected a number"),
        ({"lora_alpha": 0}, "lora_alpha is 0, expected a number other than 0"),
        ({"rank_pattern": ["q_proj"]}, r"rank_pattern is \['q_proj'\], expected patterns and numbers"),
        ({"rank_pattern": {"q_proj": 2.5}}, r"rank_pattern\['q_proj'\] is 2.5, expected a whole number"),
        ({"use_rslora": "false"}, "use_rslora is 'false', expected true or false; set the value"),
        ({"lora_alpha": 10**399}, "adapter_config.json: not readable as JSON: a number of 400 digits"),
        ({"alpha_pattern": {"q_proj": "8"}}, r"alpha_pattern\['q_proj'\] is '8', expected a number"),
        ({"alpha_pattern": {"q_proj(": 8}}, r"alpha_pattern: 'q_proj\(' is not a regular expression"),
        ({"fine_tune_type": "lora"}, "an mlx-lm adapter; merge it into its model with mlx_lm.fuse"),
    ],
)
def test_a_configuration_that_asks_for_more_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_peft_folder(write(tmp_path, **changes)).pairs()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("base_model.model.model.norm.weight", np.ones(3, np.float32), "expected A or B of a matrix"),
        (
            "base_model.model.lm_head.embed_tokens.lora_A.weight",
            np.ones((2, 2)),
            "train without embed_tokens",
        ),
        (
            f"base_model.model.{MODULES[0]}.lora_A.weight",
            np.ones((2, 6), np.int8),
            r"is stored as I8 \(2, 6\)",
        ),
        (
            f"base_model.model.{MODULES[0]}.lora_A.weight",
            np.ones(12, np.float32),
            r"is stored as F32 \(12,\)",
        ),
        (
            f"base_model.model.{MODULES[0]}.lora_A.weight",
            np.ones((3, 6), np.float32),
            r"has A \(3, 6\) and B",
        ),
        (f"base_model.model.{MODULES[0]}.lora_A.weight", np.ones(0), "q_proj.weight lacks its A"),
    ],
)
def test_tensors_that_are_no_a_and_b_are_refused(
    tmp_path: Path, name: str, tensor: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_peft_folder(write(tmp_path, {name: tensor})).pairs()


MULTIMODAL = ("model.language_model.", "language_model.model.")


@pytest.mark.parametrize("prefix", MULTIMODAL)
def test_the_text_decoder_of_a_multimodal_model_is_read_by_its_names_in_a_text_only_one(
    tmp_path: Path, prefix: str
) -> None:
    write(tmp_path, rank_pattern={f"{prefix}layers.0.self_attn.q_proj": 3})
    inner = f"base_model.model.{prefix}layers.0.self_attn.q_proj"
    a, b = np.full((3, 6), 2, np.float32), np.full((4, 3), 5, np.float32)
    save_file({f"{inner}.lora_A.weight": a, f"{inner}.lora_B.weight": b}, tmp_path / WEIGHTS)
    [(name, pair)] = read_peft_folder(tmp_path).pairs().items()
    assert name == "model.layers.0.self_attn.q_proj.weight"
    assert pair.scale == 8 / 3
    assert np.array_equal(pair.a.read_all(), a)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("model.vision_tower.encoder.layers.0.q_proj", "which is not in the text decoder"),
        (
            "model.language_model.layers.0.self_attn.q_proj",
            "has two A matrices for model.layers.0.self_attn.q_proj",
        ),
    ],
)
def test_what_a_text_decoder_cannot_take_is_refused(tmp_path: Path, module: str, message: str) -> None:
    more = {
        f"base_model.model.{module}.lora_A.weight": np.ones((2, 6), np.float32),
        f"base_model.model.{module}.lora_B.weight": np.ones((4, 2), np.float32),
    }
    with pytest.raises(InputError, match=message):
        read_peft_folder(write(tmp_path, more)).pairs()


def test_the_folder_of_an_adapter_of_mlx_is_named(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"lora_parameters": {"rank": 8, "scale": 20.0}}))
    save_file({"model.layers.0.self_attn.q_proj.lora_a": np.ones((6, 2))}, tmp_path / "adapters.safetensors")
    with pytest.raises(InputError, match=r"mlx_lm\.fuse, and set model\.preset to the resulting fold"):
        read_peft_folder(tmp_path)


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"adapter_config\.json is missing"):
        read_peft_folder(tmp_path)
    write(tmp_path)
    (tmp_path / CONFIG).write_text("[]")
    with pytest.raises(InputError, match="expected a JSON object, found list"):
        read_peft_folder(tmp_path)
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(InputError, match="not readable as JSON"):
        read_peft_folder(tmp_path)
    (tmp_path / CONFIG).write_text("[" * 100_000)
    with pytest.raises(InputError, match="not readable as JSON: its values are nested too deeply; copy"):
        read_peft_folder(tmp_path)
    (tmp_path / CONFIG).write_bytes(b'{"r": "\xff"}')
    with pytest.raises(InputError, match="not readable as JSON: byte 7 is not UTF-8 text; copy"):
        read_peft_folder(tmp_path)
    write(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated"):
        read_peft_folder(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is missing"):
        read_peft_folder(tmp_path)


def test_what_is_written_is_read_back_with_every_rank_and_scale(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def factors(rank: int, alpha: float) -> PeftFactors:
        return PeftFactors(
            random.standard_normal((rank, 6)).astype(np.float32),
            random.standard_normal((4, rank)).astype(np.float32),
            alpha,
        )

    modules = {
        "model.layers.0.self_attn.q_proj": factors(8, 12.0),
        "model.layers.1.mlp.up_proj": factors(2, 3.0),
        "model.layers.11.mlp.up_proj": factors(2, 5.0),
    }
    write_peft_folder(tmp_path, lora_content(modules))
    pairs = read_peft_folder(tmp_path).pairs()
    assert [pair.scale for pair in pairs.values()] == [1.5, 1.5, 2.5]
    for name, pair in pairs.items():
        written = modules[name.removesuffix(".weight")]
        assert np.array_equal(pair.a.read_all(), written.a)
        assert np.array_equal(pair.b.read_all(), written.b)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path)
    config = read_peft_folder(tmp_path).config
    (tmp_path / CONFIG).write_bytes(b"\xef\xbb\xbf" + (tmp_path / CONFIG).read_bytes())
    assert read_peft_folder(tmp_path).config == config
