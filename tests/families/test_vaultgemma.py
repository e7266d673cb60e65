"""Promise: a VaultGemma of either form is read as transformers builds it, with and without soft caps and
windows, and stays one when it is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.errors import InputError
from pipeline.families.gemma import KERAS_WINDOW
from pipeline.families.registry import family_of_class, read_shape
from pipeline.families.vaultgemma import VAULTGEMMA
from pipeline.gemma.causal_lm import load_backbone, load_causal_lm, use_backend
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.hugging_face_import import import_hugging_face
from pipeline.gemma.logit_noise import keras_logits, logit_noise
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.random_presets import WINDOW, write_transformers_folder

VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "capped": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "attn_logit_softcapping": 0.5,
        "final_logit_softcapping": 3.0,
    },
}
"""Caps that are low enough for the logits of a small model to reach."""


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    use_backend("torch")
    place = tmp_path_factory.mktemp("vaultgemma") / "hf"
    return write_transformers_folder("vaultgemma", place, dtype="float32", **VARIANTS[request.param])


def tensors_of(folder: Path) -> dict[str, Any]:
    return {name: values for path in folder.glob("*.safetensors") for name, values in load_file(path).items()}


def config_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_a_folder_computes_what_transformers_computes(folder: Path) -> None:
    sequence = np.random.default_rng(0).integers(4, 1000, 2 * WINDOW).tolist()
    ours = keras_logits(load_causal_lm(folder), [sequence])
    (noise,) = logit_noise(ours, folder, [sequence])
    assert noise.ratio < 3


def test_a_model_is_written_as_it_was_read(folder: Path, tmp_path: Path) -> None:
    import_hugging_face(folder, tmp_path / "imported")
    model = load_causal_lm(tmp_path / "imported")
    write_hugging_face(model, Tokenizer.of_preset(folder), tmp_path / "written")
    ours, theirs = tensors_of(tmp_path / "written"), tensors_of(folder)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values)
    before, after = config_of(folder), config_of(tmp_path / "written")
    same = {*VARIANTS["capped"], "model_type", "architectures", "sliding_window", "query_pre_attn_scalar"}
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert read_shape(tmp_path / "written") == read_shape(folder)


def test_weights_are_read_in_the_type_that_is_asked_for(folder: Path) -> None:
    backbone = load_backbone(folder, "bfloat16", dropout=0.1)
    assert {weight.dtype for weight in backbone.weights} == {"bfloat16"}
    assert backbone.dropout == 0.1


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({}, "gemma"),
        ({"sliding_window_size": KERAS_WINDOW, "use_sliding_window_attention": False}, "gemma"),
        ({"sliding_window_size": 512, "use_sliding_window_attention": False}, "vaultgemma"),
        ({"sliding_window_size": KERAS_WINDOW, "use_sliding_window_attention": True}, "vaultgemma"),
        ({"attention_logit_soft_cap": 50.0}, "vaultgemma"),
        ({"final_logit_soft_cap": 30.0}, "vaultgemma"),
        ({"final_logit_soft_cap": 30.0, "use_post_ffw_norm": True}, "gemma2"),
    ],
)
def test_a_backbone_without_norms_after_a_layer_is_a_vaultgemma_or_a_gemma_1(
    config: dict[str, Any], family: str
) -> None:
    found = family_of_class(VAULTGEMMA.keras_class, config)
    assert found is not None and found.name == family


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "final_logit_softcapping"])
def test_a_configuration_that_leaves_a_cap_open_is_refused(tmp_path: Path, key: str) -> None:
    config = {"model_type": "vaultgemma", "attn_logit_softcapping": None, "final_logit_softcapping": None}
    del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=rf"config.json: {key} is missing, expected a number or null"):
        read_shape(tmp_path)


def test_a_weight_that_does_not_fit_is_named(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = config_of(folder)
    (tmp_path / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}), encoding="utf-8")
    with pytest.raises(InputError, match=r"mlp.gate_proj.weight is of shape \(128, 64\), .* \(64, 64\)$"):
        load_causal_lm(tmp_path)
