"""Promise: a PocketGemma adapter computes the same in PEFT, and PEFT's the same here, on a whole model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.commands.adapter import peft_folder
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED
from pipeline.formats.peft import CONFIG
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.matrices import PresetMatrices
from pipeline.tuning.load import load_deltas
from pipeline.tuning.merge import merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS
from tests.support.grafting import with_tensors
from tests.support.random_presets import write_transformers_folder
from tests.tuning.conftest import EVERY_TARGET

KINDS = [(name, scaling) for name in ("lora", "dora") for scaling in (CLASSIC, RANK_STABILIZED)]
IDS = np.random.default_rng(1).integers(5, 1000, (2, 24)).astype("int32")
LEAST_CHANGE, LIMIT = 0.5, 2e-4
"""Of logits, which reach about 5: what an adapter changes, and what rounding may."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 3 as transformers writes it: four query heads, two of key and value, and a width of
    queries that is not the hidden size."""
    path = tmp_path_factory.mktemp("models") / "base"
    return write_transformers_folder("gemma3", path, dtype="float32", shards=1)


def keras_logits(model: Any) -> np.ndarray:
    from keras import ops

    found = model({"token_ids": IDS, "padding_mask": np.ones_like(IDS)})
    return np.asarray(ops.convert_to_numpy(found))


def transformers_logits(model: Any) -> np.ndarray:
    import torch

    with torch.no_grad():
        return np.asarray(model.eval()(torch.from_numpy(IDS).long()).logits.numpy())


def transformers_model(folder: Path) -> Any:
    import torch
    from transformers import Gemma3ForCausalLM

    return Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scaling"), KINDS)
def test_peft_computes_with_our_adapter_what_our_merged_model_computes(
    folder: Path, tmp_path: Path, name: str, scaling: str
) -> None:
    from peft import PeftModel

    method, model = METHODS[name], load_causal_lm(folder)
    before = keras_logits(model)
    attachment = method.attach(model.backbone, MethodSettings(3, 5.0, EVERY_TARGET, scaling=scaling))
    random = np.random.default_rng(2)
    for layer in attachment.layers.values():
        for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
            variable.assign(0.3 * random.standard_normal(variable.shape))
        if name == "dora":
            factor = random.uniform(0.7, 1.3, layer.lora_magnitude.shape)
            layer.lora_magnitude.assign(layer.lora_magnitude * factor)
    adapter = method.collect(attachment, "base")
    adapter.save(tmp_path / "adapter.safetensors")
    merged = load_causal_lm(folder)
    merge(merged.backbone, adapter)
    expected = keras_logits(merged)
    assert np.abs(expected - before).max() > LEAST_CHANGE

    peft_folder(tmp_path / "adapter.safetensors", None, tmp_path / "peft")
    found = PeftModel.from_pretrained(transformers_model(folder), str(tmp_path / "peft"))
    np.testing.assert_allclose(transformers_logits(found), expected, rtol=0, atol=LIMIT)
    config = json.loads((tmp_path / "peft" / CONFIG).read_text())
    assert (config.get("use_dora", False), config.get("use_rslora", False)) == (
        name == "dora",
        scaling == RANK_STABILIZED,
    )


@pytest.mark.parametrize(("name", "scaling"), KINDS)
def test_our_merged_model_computes_with_pefts_adapter_what_peft_computes(
    folder: Path, tmp_path: Path, name: str, scaling: str
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    plain = transformers_model(folder)
    before = transformers_logits(plain)
    config = LoraConfig(
        r=3,
        lora_alpha=5,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        use_dora=name == "dora",
        use_rslora=scaling == RANK_STABILIZED,
    )
    model = get_peft_model(plain, config)
    for parameter_name, parameter in model.named_parameters():
        if "lora_magnitude" in parameter_name:
            parameter.data *= torch.empty_like(parameter).uniform_(0.7, 1.3)
        elif "lora_" in parameter_name:
            parameter.data = 0.3 * torch.randn_like(parameter)
    expected = transformers_logits(model)
    assert np.abs(expected - before).max() > LEAST_CHANGE
    model.save_pretrained(str(tmp_path / "peft"), save_embedding_layers=False)

    base, changed = PresetMatrices(folder), {}
    for matrix, (_, rows) in load_deltas(tmp_path / "peft").matrices.items():
        w0 = base.read(matrix)
        changed[matrix] = w0 + rows()(0, w0)
    merged = load_causal_lm(with_tensors(folder, tmp_path / "merged", changed))
    np.testing.assert_allclose(keras_logits(merged), expected, rtol=0, atol=LIMIT)
