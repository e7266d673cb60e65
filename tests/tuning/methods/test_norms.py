"""Norm tuning: the scales of norms are trained and restored bit for bit, and nothing else; PEFT computes the
same with them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import FINAL_NORM, norm_shapes
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_backbone, load_causal_lm
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.keras_weights import keras_weights
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter, load_deltas
from pipeline.tuning.loop import fit
from pipeline.tuning.merge import merge, prove_merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.norms import METHOD
from pipeline.tuning.peft import write_peft
from tests.tuning.conftest import SETTINGS
from tests.tuning.test_merge import tensors_of

NOTHING = MethodSettings(8, 8.0, ())
TOKENS = [2, *range(30, 60)]


def tuned(preset: Path) -> Adapter:
    """Scales that all changed by some tenths."""
    backbone = load_backbone(preset)
    attachment = METHOD.attach(backbone, NOTHING)
    random = np.random.default_rng(0)
    for variable in backbone.trainable_variables:
        variable.assign(variable.numpy() + 0.2 * random.normal(size=variable.shape))
    return METHOD.collect(attachment, "base")


@pytest.mark.slow
def test_the_norms_of_every_family_are_trained_and_put_back_to_the_bit(preset: Path, tmp_path: Path) -> None:
    tuned(preset).save(tmp_path / "adapter.safetensors")
    read = load_adapter(tmp_path / "adapter.safetensors")
    assert read.method is METHOD
    assert {name: tensor.shape for name, tensor in read.tensors.items()} == norm_shapes(read_shape(preset))
    base, merged, applied = (load_backbone(preset) for _ in range(3))
    merge(merged, read)
    METHOD.apply(read, applied)
    for backbone in (merged, applied):
        found = {each.tensor: each.read_all() for each in keras_weights(backbone, read_shape(preset))}
        for name, tensor in read.tensors.items():
            np.testing.assert_array_equal(found[name], tensor, err_msg=name)
    proof = prove_merge(base, tensors_of(merged), read, 1e-6)
    count = len(read.tensors)
    assert (len(proof.matrices), proof.other_weights) == (count, len(base.variables) - count)
    assert proof.largest_deviation == 0
    assert all(each.delta_norm > 0 for each in proof.matrices)


def test_a_matrix_that_changed_by_a_bit_is_refused(preset: Path) -> None:
    adapter, merged = tuned(preset), load_backbone(preset)
    merge(merged, adapter)
    table = merged.token_embedding.embeddings
    value = np.array(table.numpy())
    value[7, 3] = np.nextafter(value[7, 3], np.float32(9))
    table.assign(value)
    with pytest.raises(PocketGemmaError, match=r"1 faults:\n  \S*embedding\S*: changed"):
        prove_merge(load_backbone(preset), tensors_of(merged), adapter, 1e-6)


def test_a_norm_of_zeros_is_proved_too(base: Path) -> None:
    """Zeros are where the scales of a Gemma 3 begin."""
    adapter, (before, after) = tuned(base), (load_backbone(base) for _ in range(2))
    scale = before.get_layer("final_normalization").scale
    scale.assign(np.zeros(scale.shape))
    merge(after, adapter)
    proof = prove_merge(before, tensors_of(after), adapter, 1e-6)
    assert proof.largest_deviation == 0
    value = after.get_layer("final_normalization").scale
    value.assign(value.numpy() + 1e-3)
    with pytest.raises(PocketGemmaError, match=rf"{FINAL_NORM}: W differs from the trained W"):
        prove_merge(before, tensors_of(after), adapter, 1e-6)


@pytest.mark.slow
def test_a_training_changes_only_the_norms_and_learns(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    backbone = load_backbone(base)
    attachment = METHOD.attach(backbone, NOTHING)
    cost = METHOD.cost(read_shape(base), NOTHING)
    assert cost.adapter_bytes == 4 * cost.parameters
    settings = replace(SETTINGS, epochs=4, learning_rate=0.02)
    training = fit(backbone, examples, examples, settings, FinetuneFiles(tmp_path))
    assert training.trainable_parameters == cost.parameters
    assert training.best_validation_loss is not None and training.untrained_validation_loss is not None
    assert training.best_validation_loss < 0.5 * training.untrained_validation_loss
    merged = load_backbone(base)
    merge(merged, METHOD.collect(attachment, "base"))
    adapter = METHOD.collect(attachment, "base")
    assert prove_merge(load_backbone(base), tensors_of(merged), adapter, 1e-6).matrices
    for ours, theirs in zip(backbone.weights, merged.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


@pytest.mark.slow
def test_peft_computes_the_same_with_it(preset: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter, merged, tokenizer = tuned(preset), load_causal_lm(preset), Tokenizer.of_preset(preset)
    write_hugging_face(merged, tokenizer, tmp_path / "base")
    merge(merged.backbone, adapter)
    write_hugging_face(merged, tokenizer, tmp_path / "merged")
    write_peft(adapter, tmp_path / "peft")

    def logits(model: Any) -> Any:
        with torch.no_grad():
            return model.eval()(torch.tensor([TOKENS])).logits

    base, wanted = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name, attn_implementation="eager")
        for name in ("base", "merged")
    )
    assert (logits(base) - logits(wanted)).abs().max() > 0.1
    with_adapter = PeftModel.from_pretrained(base, str(tmp_path / "peft"))
    assert torch.equal(logits(with_adapter), logits(wanted))
    assert torch.equal(logits(with_adapter.merge_and_unload()), logits(wanted))
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["peft_type"] == "LN_TUNING"


def test_a_file_without_a_norm_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = tuned(base)
    tensors = {name: each for name, each in adapter.tensors.items() if name != FINAL_NORM}
    replace(adapter, tensors=tensors).save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=rf"a\.safetensors: lacks {FINAL_NORM}"):
        load_adapter(tmp_path / "a.safetensors")


def test_neither_a_graft_nor_the_runtime_has_a_form_for_it(base: Path, tmp_path: Path) -> None:
    adapter = tuned(base)
    adapter.save(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match=r"changes the scales of norms, .* convert the whole merged model"):
        load_deltas(tmp_path)
    with pytest.raises(InputError, match=r"the runtime accepts only low-rank adapters.*adapters: merged"):
        METHOD.runtime_factors(adapter)
    assert not METHOD.has_runtime_form
