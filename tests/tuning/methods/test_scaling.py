"""The scale of an adapter is one number in all its forms, and its file says which."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.formats.adapter_safetensors import write_adapter_safetensors
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED
from pipeline.formats.peft import read_peft_folder
from pipeline.formats.safetensors import read_safetensors
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.inspect.file import inspect_file
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter, load_deltas
from pipeline.tuning.merge import merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods import dora, lora, quantization_aware
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.peft import write_peft
from tests.support.lora import random_adapter

RANK, ALPHA = 4, 6.0
SCALES = {CLASSIC: 1.5, RANK_STABILIZED: 3.0}


def logits(model: Any) -> np.ndarray:
    from keras import ops

    ids = np.random.default_rng(1).integers(5, 1000, (1, 24)).astype("int32")
    return np.asarray(ops.convert_to_numpy(model({"token_ids": ids, "padding_mask": np.ones_like(ids)})))


def trained(base: Path, method: Any, scaling: str, targets: tuple[str, ...]) -> tuple[Any, Adapter]:
    """A model in training, with random A and B, and its adapter."""
    model = load_causal_lm(base)
    attachment = method.attach(model.backbone, MethodSettings(RANK, ALPHA, targets, "int8", scaling))
    random = np.random.default_rng(0)
    for layer in attachment.layers.values():
        for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
            variable.assign(0.1 * random.standard_normal(variable.shape))
    return model, method.collect(attachment, "base")


@pytest.mark.slow
@pytest.mark.parametrize("scaling", SCALES)
@pytest.mark.parametrize("method", [lora.METHOD, dora.METHOD, quantization_aware.METHOD])
def test_training_evaluation_merge_and_graft_use_the_same_scale(
    base: Path, tmp_path: Path, method: Any, scaling: str
) -> None:
    targets = ("query", "output", "up")
    training, adapter = trained(base, method, scaling, targets)
    adapter.save(tmp_path / "adapter.safetensors")
    read = load_adapter(tmp_path / "adapter.safetensors")
    assert (read.method, LoraFactors.of(read).scale) == (method, SCALES[scaling])
    applied = load_causal_lm(base)
    method.apply(read, applied.backbone)
    np.testing.assert_allclose(logits(applied), logits(training), atol=1e-3)
    if method is quantization_aware.METHOD:
        return  # what is merged is rounded when it is converted
    merged, plain = load_causal_lm(base), load_causal_lm(base)
    merge(merged.backbone, read)
    np.testing.assert_allclose(logits(merged), logits(training), atol=1e-3)
    deltas = load_deltas(tmp_path)
    for change in method.changes(read, plain.backbone):
        kind = MATRICES[parse_adapter_name(change.name)[1]]
        w0 = np.ascontiguousarray(kind.as_matrix(change.variable.numpy()))
        _, prepare = deltas.matrices[hugging_face_name(change.name)]
        np.testing.assert_array_equal(prepare()(0, w0), kind.as_matrix(change.delta()))


def test_the_scales_differ(base: Path) -> None:
    """Otherwise the test above would not see a scale that is left out."""
    (classic, _), (stabilized, _) = (trained(base, lora.METHOD, each, ("query", "output")) for each in SCALES)
    assert np.abs(logits(classic) - logits(stabilized)).max() > 0.1


def small(scaling: str) -> Adapter:
    adapter = random_adapter(layers=2, hidden=24, heads=4, kv_heads=2, head_dim=6, rank=RANK)
    return replace(LoraFactors.of(adapter), alpha=ALPHA, scaling=scaling).adapter("ab" * 32)


@pytest.mark.parametrize("scaling", SCALES)
def test_the_runtime_and_peft_get_the_same_products(tmp_path: Path, scaling: str) -> None:
    adapter = small(scaling)
    deltas = adapter.method.deltas(adapter)
    nothing = {name: np.zeros(shape, np.float32) for name, (shape, _) in deltas.matrices.items()}
    expected = {name: rows()(0, nothing[name]) for name, (_, rows) in deltas.matrices.items()}
    for (target, layer), (a, b) in adapter.method.runtime_factors(adapter).items():
        name = hugging_face_name(f"decoder_block_{layer}.{target}")
        np.testing.assert_allclose((a @ b).T, expected[name], atol=1e-5)
    write_peft(adapter, tmp_path)
    assert read_peft_folder(tmp_path).config.get("use_rslora", False) == (scaling == RANK_STABILIZED)
    read = load_deltas(tmp_path).matrices
    assert read.keys() == expected.keys()
    for name, (_, rows) in read.items():
        np.testing.assert_allclose(rows()(0, nothing[name]), expected[name], atol=1e-5)


def test_only_an_adapter_with_another_scaling_than_classic_records_it(tmp_path: Path) -> None:
    headers, notes = {}, {}
    for scaling in SCALES:
        path = tmp_path / f"{scaling}.safetensors"
        small(scaling).save(path)
        headers[scaling] = json.loads(read_safetensors(path).metadata["pocketgemma"])
        notes[scaling] = inspect_file(path).notes
    classic = {
        "format": "pocketgemma-lora-1",
        "base_digest": "ab" * 32,
        "rank": RANK,
        "alpha": ALPHA,
        "targets": ["query", "key", "value", "output"],
    }
    assert headers == {CLASSIC: classic, RANK_STABILIZED: classic | {"scaling": "rank_stabilized"}}
    assert notes == {
        CLASSIC: (),
        RANK_STABILIZED: ("the scaling is rank-stabilized: the scale is alpha / √rank",),
    }


@pytest.mark.parametrize("scaling", ["stable", None, 1, ["classic"]])
def test_an_unknown_scaling_is_refused(tmp_path: Path, scaling: object) -> None:
    adapter, path = small(CLASSIC), tmp_path / "adapter.safetensors"
    settings = {**adapter.settings, "scaling": scaling}
    write_adapter_safetensors(path, adapter.method.format, "base", settings, adapter.tensors)
    with pytest.raises(InputError) as caught:
        load_adapter(path)
    assert str(caught.value) == (
        f"{path}: its scaling is {scaling!r}, expected classic or rank_stabilized; copy the file again, or "
        "train again"
    )


def test_the_formula_names_the_scale() -> None:
    stabilized = small(RANK_STABILIZED)
    assert stabilized.method.formula(stabilized) == "W0 + 3·A·B"
    assert math.isclose(SCALES[RANK_STABILIZED], ALPHA / math.sqrt(RANK))
