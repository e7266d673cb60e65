"""Full fine-tuning: every weight is trained, stored and restored bit for bit; a file or a model with any
other weight is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import EMBEDDING, tensor_shapes
from pipeline.families.registry import read_shape
from pipeline.formats.adapter_safetensors import write_adapter_safetensors
from pipeline.gemma.causal_lm import load_backbone, load_causal_lm
from pipeline.gemma.keras_weights import keras_weights
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter, load_deltas
from pipeline.tuning.loop import fit
from pipeline.tuning.merge import merge, prove_merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.full import METHOD
from pipeline.tuning.peft import write_peft
from tests.tuning.conftest import SETTINGS
from tests.tuning.test_merge import tensors_of

NOTHING = MethodSettings(8, 8.0, ())
QUERY = "model.layers.2.self_attn.q_proj.weight"


def tuned(preset: Path) -> tuple[Any, Adapter]:
    """A backbone whose trained weights all changed, some of them to much smaller numbers, and its adapter."""
    backbone = load_backbone(preset)
    attachment = METHOD.attach(backbone, NOTHING)
    random = np.random.default_rng(0)
    for variable in backbone.trainable_variables:
        value = variable.numpy() + 0.05 * random.normal(size=variable.shape)
        value.flat[:2] *= 1e-12
        variable.assign(value)
    return backbone, METHOD.collect(attachment, "base")


def weights(backbone: Any, preset: Path) -> dict[str, np.ndarray]:
    return {each.tensor: each.read_all().copy() for each in keras_weights(backbone, read_shape(preset))}


@pytest.mark.slow
def test_every_weight_of_every_family_is_trained_and_put_back_to_the_bit(
    preset: Path, tmp_path: Path
) -> None:
    trained, adapter = tuned(preset)
    adapter.save(tmp_path / "adapter.safetensors")
    read = load_adapter(tmp_path / "adapter.safetensors")
    assert (read.method, read.base_digest) == (METHOD, "base")
    shape = read_shape(preset)
    scalars = [name for name in tensor_shapes(shape) if name.endswith("scalar")]
    assert len(scalars) == (shape.layers if shape.family.scalars else 0)
    assert set(read.tensors) == set(tensor_shapes(shape)) - set(scalars)
    base, merged, applied = (load_backbone(preset) for _ in range(3))
    for change in METHOD.changes(read, base):
        assert change.trained is not None
        np.testing.assert_array_equal(change.delta(), change.trained() - change.variable.numpy())
    merge(merged, read)
    METHOD.apply(read, applied)
    wanted = weights(trained, preset)
    for backbone in (merged, applied):
        for name, value in weights(backbone, preset).items():
            np.testing.assert_array_equal(value, wanted[name], err_msg=name)
    proof = prove_merge(base, tensors_of(merged), read, 1e-6)
    count = len(read.tensors)
    assert (len(proof.matrices), proof.other_weights) == (count, len(base.variables) - count)
    assert proof.largest_deviation == 0
    assert all(each.delta_norm > 0 for each in proof.matrices)


@pytest.mark.slow
def test_a_weight_that_is_not_as_trained_is_refused(preset: Path) -> None:
    _, adapter = tuned(preset)
    merged = load_backbone(preset)
    merge(merged, adapter)
    table = merged.token_embedding.embeddings
    value = np.array(table.numpy())
    value[7, 3] = np.nextafter(value[7, 3], np.float32(9))
    table.assign(value)
    with pytest.raises(PocketGemmaError, match=rf"1 faults:\n  {EMBEDDING}: W differs from the trained W"):
        prove_merge(load_backbone(preset), tensors_of(merged), adapter, 1e-6)


def test_the_gradient_reaches_every_weight(preset: Path) -> None:
    """Also where KerasHub looks a row up, and where it multiplies by a kernel without its layer."""
    backbone = load_backbone(preset)
    METHOD.attach(backbone, NOTHING)
    ids = np.arange(5, 29, dtype=np.int32)[None]
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    if "position_ids" in backbone.input:
        inputs["position_ids"] = np.arange(24, dtype=np.int32)[None]
    hidden = backbone(inputs)
    backbone.token_embedding(hidden, reverse=True).square().mean().backward()
    for variable in backbone.trainable_variables:
        assert variable.value.grad.abs().max() > 0, variable.path


def test_the_cost_is_what_training_counts_and_writes(preset: Path) -> None:
    backbone, adapter = tuned(preset)
    cost = METHOD.cost(read_shape(preset), NOTHING)
    assert cost.parameters == sum(each.value.numel() for each in backbone.trainable_variables)
    assert cost.adapter_bytes == sum(tensor.nbytes for tensor in adapter.tensors.values())


@pytest.mark.slow
def test_a_training_learns_and_its_best_epoch_is_the_adapter(
    base: Path, examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from pipeline.tuning.loss import Batches, response_model

    # So many pieces that each computes its logits twice.
    monkeypatch.setattr("pipeline.tuning.cross_entropy.LOGITS", 1 << 13)
    keras.utils.set_random_seed(0)
    backbone = load_backbone(base, "mixed_bfloat16")
    attachment = METHOD.attach(backbone, NOTHING)
    assert {each.dtype for each in backbone.trainable_variables} == {"float32"}
    settings = replace(SETTINGS, epochs=4, learning_rate=1e-3)
    training = fit(backbone, examples, examples, settings, FinetuneFiles(tmp_path))
    assert training.trainable_parameters == METHOD.cost(read_shape(base), NOTHING).parameters
    assert training.best_validation_loss is not None and training.untrained_validation_loss is not None
    assert training.best_validation_loss < 0.1 * training.untrained_validation_loss
    model = load_causal_lm(base).backbone
    METHOD.apply(METHOD.collect(attachment, "base"), model)
    answers = response_model(model)
    answers.compile(jit_compile=False)
    ((responses,), _) = next(Batches(examples, len(examples), None).epoch(0))
    found = answers.test_on_batch(*responses, return_dict=True)
    assert float(found["loss"]) == pytest.approx(training.best_validation_loss, abs=0.01)


def test_weights_in_bfloat16_are_not_trained(base: Path) -> None:
    with pytest.raises(PocketGemmaError, match=rf"{EMBEDDING} is stored as bfloat16"):
        METHOD.attach(load_backbone(base, "bfloat16"), NOTHING)


def edited(adapter: Adapter, path: Path, **changes: Any) -> Path:
    """The adapter's file with some tensors replaced; None removes one."""
    tensors = {**adapter.tensors, **changes}
    replace(adapter, tensors={name: each for name, each in tensors.items() if each is not None}).save(path)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({QUERY: None}, f"lacks {QUERY}"),
        ({f"{QUERY}.scales": np.ones((2, 2), np.float32)}, rf"has an unexpected tensor {QUERY}\.scales"),
        (
            {QUERY: np.ones((128, 127), np.float32)},
            rf"has {QUERY} of shape \(128, 127\), expected \(128, 128\)",
        ),
    ],
)
def test_a_file_with_other_tensors_is_refused(
    base: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = edited(tuned(base)[1], tmp_path / "a.safetensors", **changes)
    with pytest.raises(InputError, match=rf"a\.safetensors: {message}"):
        load_adapter(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [None, 7, {}, {"family": "x", "layer_sizes": []}, *({"layers": layers} for layers in (0, "6", 1 << 60))],
)
def test_a_header_without_the_shape_of_a_model_is_refused(base: Path, tmp_path: Path, shape: Any) -> None:
    _, adapter = tuned(base)
    if shape and isinstance(shape, dict) and "layers" in shape:
        shape = adapter.settings["shape"] | shape
    settings = {**adapter.settings, "shape": shape}
    write_adapter_safetensors(tmp_path / "a", METHOD.format, "base", settings, adapter.tensors)
    with pytest.raises(InputError, match="its header lacks a usable shape"):
        load_adapter(tmp_path / "a")


def test_an_adapter_of_a_model_of_another_shape_is_refused(preset: Path, base: Path) -> None:
    _, adapter = tuned(preset)
    with pytest.raises(InputError, match="the adapter belongs to another base"):
        merge(load_backbone(base), adapter)


def test_the_header_tells_the_shape_of_the_model(preset: Path, tmp_path: Path) -> None:
    _, adapter = tuned(preset)
    document = json.loads(json.dumps(adapter.settings["shape"]))
    assert document["family"] == read_shape(preset).family.name
    assert document["layers"] == read_shape(preset).layers


def test_no_graft_no_runtime_and_no_peft_has_a_form_for_it(base: Path, tmp_path: Path) -> None:
    _, adapter = tuned(base)
    adapter.save(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match="Full fine-tuning changes every weight, but a graft"):
        load_deltas(tmp_path)
    with pytest.raises(InputError, match="the runtime accepts only low-rank adapters"):
        METHOD.runtime_factors(adapter)
    assert not METHOD.has_runtime_form
    with pytest.raises(InputError, match="PEFT cannot represent full fine-tuning"):
        write_peft(adapter, tmp_path / "peft")
    assert not (tmp_path / "peft").exists()
