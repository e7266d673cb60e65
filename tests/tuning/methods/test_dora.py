"""DoRA computes m * V / ||V|| in training, begins as the base, and keeps this meaning in the merge, in rows
for a graft and in its file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_causal_lm, shape_of
from pipeline.gemma.keras_weights import keras_weights
from pipeline.inspect.file import inspect_file
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter
from pipeline.tuning.loop import fit
from pipeline.tuning.merge import merge, prove_merge
from pipeline.tuning.method import Attachment, MethodSettings
from pipeline.tuning.methods.dora import MAGNITUDE, METHOD, magnitudes_of
from tests.tuning.conftest import EVERY_TARGET, SETTINGS

RANK, SCALE = 4, 2.0
LAYOUTS = ("query", "output", "down")
"""A matrix of each layout of a kernel."""


def attached(base: Path, *, random: bool = True, **options: Any) -> tuple[Any, Attachment]:
    """The base with DoRA; A, B and the magnitudes are random, or as before training."""
    model = load_causal_lm(base, **options)
    attachment = METHOD.attach(model.backbone, MethodSettings(RANK, SCALE * RANK, EVERY_TARGET))
    numbers = np.random.default_rng(0)
    for layer in attachment.layers.values() if random else ():
        for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
            variable.assign(0.1 * numbers.standard_normal(variable.shape))
        layer.lora_magnitude.assign(
            layer.lora_magnitude * numbers.uniform(0.5, 1.5, layer.lora_magnitude.shape)
        )
    return model, attachment


def trained(base: Path) -> Adapter:
    return METHOD.collect(attached(base)[1], "base")


def logits(model: Any) -> np.ndarray:
    from keras import ops

    ids = np.random.default_rng(1).integers(5, 1000, (2, 24)).astype("int32")
    found = model({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    return np.asarray(ops.convert_to_numpy(ops.cast(found, "float32")))


def explicit(name: str, layer: Any) -> np.ndarray:
    """The matrix (out, in) by the formula of the paper, float64."""
    kind = MATRICES[parse_adapter_name(name)[1]]
    w0, a, b, magnitude = (
        each.numpy().astype(np.float64)
        for each in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b, layer.lora_magnitude)
    )
    directed = kind.as_matrix(w0 + SCALE * (a @ b))
    return np.asarray(magnitude.reshape(-1, 1) * directed / np.linalg.norm(directed, axis=1, keepdims=True))


@pytest.mark.slow
def test_the_first_output_is_the_bases(base: Path) -> None:
    before = logits(load_causal_lm(base))
    rounding = 16 * np.finfo(np.float32).eps * np.abs(before).max()
    np.testing.assert_allclose(logits(attached(base, random=False)[0]), before, rtol=0, atol=rounding)
    assert np.abs(logits(attached(base)[0]) - before).max() > 0.1


def test_every_layer_computes_the_formula(base: Path) -> None:
    _, attachment = attached(base)
    numbers = np.random.default_rng(2)
    assert len(attachment.layers) == 42
    for name, layer in attachment.layers.items():
        target = parse_adapter_name(name)[1]
        matrix = explicit(name, layer)
        # Beside the kernel, and inside it.
        shape = (4, 32) if target == "output" else (matrix.shape[1],)
        inputs = numbers.standard_normal((2, 3, *shape)).astype(np.float32)
        expected = inputs.reshape(2, 3, -1) @ matrix.T
        found = layer(inputs).detach().numpy().reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)
        inside = MATRICES[target].as_matrix(layer.kernel.detach().numpy())
        np.testing.assert_allclose(inside, matrix, rtol=0, atol=1e-6 * np.abs(matrix).max(), err_msg=name)


@pytest.mark.parametrize("target", LAYOUTS)
def test_the_norm_has_no_gradient_and_the_rest_has_the_formulas(base: Path, target: str) -> None:
    import torch

    _, attachment = attached(base)
    layer = attachment.layers[f"decoder_block_1.{target}"]
    a, b, magnitude = (
        each.value for each in (layer.lora_kernel_a, layer.lora_kernel_b, layer.lora_magnitude)
    )
    inputs = torch.randn((2, 3, 4, 32) if target == "output" else (2, 3, layer._kernel.shape[-2]))
    weights = torch.randn(layer(inputs).shape)

    def gradients(output: torch.Tensor) -> list[np.ndarray]:
        found = torch.autograd.grad((output * weights).sum(), (a, b, magnitude), retain_graph=True)
        return [each.numpy() for each in found]

    directed = layer._kernel.value + SCALE * (a @ b)
    axes = MATRICES[target].input_axes
    norms = directed.norm(dim=axes, keepdim=True)
    shape = [1 if axis in axes else size for axis, size in enumerate(directed.shape)]

    def formula(norms: torch.Tensor) -> torch.Tensor:
        kernel = magnitude.reshape(shape) * directed / norms
        return torch.einsum(layer.equation, inputs, kernel)

    found, constant = gradients(layer(inputs)), gradients(formula(norms.detach()))
    for each, expected in zip(found, constant, strict=True):
        np.testing.assert_allclose(each, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    through = gradients(formula(norms))
    assert np.abs(through[1] - found[1]).max() > 1e-2 * np.abs(found[1]).max()


def test_the_backward_pass_keeps_nothing_of_the_size_of_a_kernel_beyond_what_lora_keeps(base: Path) -> None:
    import torch

    def kept(call: Callable[[torch.Tensor], object], inputs: torch.Tensor) -> int:
        """Numbers."""
        sizes: list[int] = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            call(inputs.requires_grad_())
        return sum(sizes)

    _, attachment = attached(base)
    for name, layer in attachment.layers.items():
        kernel = layer._kernel.value
        inputs = torch.randn((1, 1, 4, 32) if name.endswith("output") else (1, 1, kernel.shape[-2]))
        more = kept(layer.call, inputs) - kept(super(type(layer), layer).call, inputs)
        assert 0 < more < kernel.numel() / 10, name


def test_in_bfloat16_a_small_change_of_a_magnitude_is_not_lost(base: Path) -> None:
    """1.003 itself is 1 in bfloat16."""
    _, attachment = attached(base, random=False, dtype="bfloat16")
    layer = attachment.layers["decoder_block_0.up"]
    inputs = np.random.default_rng(3).standard_normal((1, 200, 128)).astype(np.float32)
    before = layer(inputs).detach().float()
    layer.lora_magnitude.assign(1.003 * layer.lora_magnitude.numpy())
    growth = layer(inputs).detach().float().abs().mean() / before.abs().mean()
    assert float(growth) == pytest.approx(1.003, abs=5e-4)


@pytest.mark.slow
def test_training_trains_the_magnitudes_and_lowers_the_loss(
    base: Path, examples: EncodedExamples, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model, attachment = attached(base, random=False)
    before = magnitudes_of(METHOD.collect(attachment, "base"))
    training = fit(model.backbone, examples, examples, replace(SETTINGS, epochs=4), FinetuneFiles(tmp_path))
    assert training.best_validation_loss is not None and training.untrained_validation_loss is not None
    assert training.best_validation_loss < training.untrained_validation_loss / 2
    adapter = METHOD.collect(attachment, "base")
    after = magnitudes_of(adapter)
    assert all((before[name] != after[name]).any() for name in before)
    applied = load_causal_lm(base)
    METHOD.apply(adapter, applied.backbone)
    np.testing.assert_allclose(logits(applied), logits(model), atol=1e-4)


@pytest.mark.slow
def test_a_magnitude_never_falls_below_zero(base: Path, examples: EncodedExamples, tmp_path: Path) -> None:
    """A step of the optimizer is larger than the norm of these rows."""
    model = load_causal_lm(base)
    for layer in (model.backbone.get_layer(f"decoder_block_{block}").gating_ffw_2 for block in range(6)):
        layer._kernel.assign(1e-6 * layer._kernel.numpy())
    attachment = METHOD.attach(model.backbone, MethodSettings(RANK, 4.0, ("up",)))
    fit(model.backbone, examples, examples, replace(SETTINGS, learning_rate=0.003), FinetuneFiles(tmp_path))
    lowest = min(magnitude.min() for magnitude in magnitudes_of(METHOD.collect(attachment, "base")).values())
    assert lowest == 0


def test_the_merged_model_computes_the_same(base: Path) -> None:
    training, attachment = attached(base)
    adapter = METHOD.collect(attachment, "base")
    merged = load_causal_lm(base)
    merge(merged.backbone, adapter)
    np.testing.assert_allclose(logits(merged), logits(training), atol=1e-4)
    backbone = merged.backbone
    tensors = {weight.tensor: weight for weight in keras_weights(backbone, shape_of(backbone))}
    proof = prove_merge(load_causal_lm(base).backbone, tensors, adapter, 1e-6)
    assert len(proof.matrices) == 42
    for name, layer in attachment.layers.items():
        change = next(each for each in METHOD.changes(adapter, merged.backbone) if each.name == name)
        kind = MATRICES[parse_adapter_name(name)[1]]
        found = kind.as_matrix(change.variable.numpy())
        np.testing.assert_allclose(found, explicit(name, layer), rtol=0, atol=1e-6)
    merge(merged.backbone, adapter)
    formula = r"m·\(W0 \+ 2·A·B\)/‖W0 \+ 2·A·B‖"
    with pytest.raises(PocketGemmaError, match=rf"decoder_block_0\.query: W differs from {formula}"):
        prove_merge(load_causal_lm(base).backbone, tensors, adapter, 1e-6)


def test_rows_for_a_graft_are_what_merging_adds_to_the_bit_however_many_at_a_time(base: Path) -> None:
    adapter = trained(base)
    deltas = METHOD.deltas(adapter)
    assert len(deltas.matrices) == 42
    for change in METHOD.changes(adapter, load_causal_lm(base).backbone):
        kind = MATRICES[parse_adapter_name(change.name)[1]]
        w0 = np.ascontiguousarray(kind.as_matrix(change.variable.numpy()))
        shape, prepare = deltas.matrices[hugging_face_name(change.name)]
        whole, rows = kind.as_matrix(change.delta()), prepare()
        assert whole.shape == shape == w0.shape
        for step in (1, 7, 32, len(w0)):
            parts = [rows(start, w0[start : start + step]) for start in range(0, len(w0), step)]
            np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_row_of_zeros_stays_one(base: Path) -> None:
    model = load_causal_lm(base)
    layer = model.backbone.get_layer("decoder_block_0").gating_ffw_2
    kernel = layer._kernel.numpy().copy()
    kernel[:, 3] = 0
    layer._kernel.assign(kernel)
    attachment = METHOD.attach(model.backbone, MethodSettings(RANK, 4.0, ("up",)))
    assert np.isfinite(logits(model)).all()
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    adapter = METHOD.collect(attachment, "base")
    _, prepare = METHOD.deltas(adapter).matrices[hugging_face_name("decoder_block_0.up")]
    rows = prepare()(0, np.ascontiguousarray(kernel.T))
    assert not rows[3].any() and rows[2].any() and np.isfinite(rows).all()


@pytest.mark.parametrize("targets", [("query", "value"), EVERY_TARGET])
def test_the_cost_is_what_training_counts_and_writes(base: Path, targets: tuple[str, ...]) -> None:
    settings = MethodSettings(4, 8.0, targets)
    backbone = load_causal_lm(base).backbone
    attachment = METHOD.attach(backbone, settings)
    cost = METHOD.cost(read_shape(base), settings)
    assert cost.parameters == sum(variable.value.numel() for variable in backbone.trainable_variables)
    adapter = METHOD.collect(attachment, "base")
    assert cost.adapter_bytes == sum(tensor.nbytes for tensor in adapter.tensors.values())


def test_the_runtime_has_no_form_for_it(base: Path) -> None:
    assert not METHOD.has_runtime_form
    with pytest.raises(InputError) as caught:
        METHOD.runtime_factors(trained(base))
    assert str(caught.value) == (
        "DoRA rescales the rows of a matrix, but the runtime's adapters only add to them; merge the adapter "
        "instead: set convert.adapters: merged, or run `pocketgemma graft`"
    )


def test_its_file_is_read_back_and_reported(base: Path, tmp_path: Path) -> None:
    adapter, path = trained(base), tmp_path / "adapter.safetensors"
    adapter.save(path)
    read = load_adapter(path)
    assert read.method is METHOD
    assert magnitudes_of(read)["decoder_block_0.query"].shape == (4, 32)
    assert all(np.array_equal(read.tensors[name], tensor) for name, tensor in adapter.tensors.items())
    report = inspect_file(path)
    assert report.adapter is not None
    assert (report.adapter.rank, report.adapter.matrices) == (RANK, 42)
    assert report.notes == ("DoRA: the rows of each matrix are rescaled to learned magnitudes",)


NAME = f"decoder_block_2.query{MAGNITUDE}"
Change = Callable[[dict[str, np.ndarray]], object]


def with_value(value: float) -> Change:
    return lambda tensors: tensors[NAME].__setitem__((1, 5), value)


def with_magnitude(shape: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda tensors: tensors.update({NAME: shape(tensors[NAME])})


BROKEN: list[tuple[Change, str]] = [
    (lambda tensors: tensors.pop(NAME), rf"lacks {NAME}; copy"),
    (lambda tensors: tensors.pop("decoder_block_2.query.lora_b"), r"lacks decoder_block_2\.query\.lora_b"),
    (lambda tensors: tensors.update({"x.magnitude": tensors[NAME]}), r"x\.magnitude has no matching A and B"),
    (lambda tensors: tensors.update({"x.scales": tensors[NAME]}), r"x\.scales is not a LoRA tensor"),
    (with_magnitude(lambda found: found.reshape(-1)), r"has the shape \(128,\), but .* \(4, 32\)"),
    (with_magnitude(lambda found: found.T), r"has the shape \(32, 4\), but .* \(4, 32\)"),
    (with_magnitude(lambda found: found[:0]), r"has the shape \(0, 32\), but"),
    (with_value(-0.5), r"query\.magnitude contains -0\.5, expected row lengths of 0 or more"),
    (with_value(float("nan")), r"query\.magnitude contains NaN or infinite values"),
    (with_value(float("inf")), r"query\.magnitude contains NaN or infinite values"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_file_whose_magnitudes_cannot_be_those_of_a_training_is_refused(
    base: Path, tmp_path: Path, change: Change, message: str
) -> None:
    adapter = trained(base)
    tensors = {name: np.array(tensor) for name, tensor in adapter.tensors.items()}
    change(tensors)
    replace(adapter, tensors=tensors).save(tmp_path / "adapter.safetensors")
    with pytest.raises(InputError, match=message) as caught:
        load_adapter(tmp_path / "adapter.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_an_adapter_of_another_base_is_refused(base: Path) -> None:
    adapter = trained(base)
    fewer = {name: tensor for name, tensor in adapter.tensors.items() if "block_5" not in name}
    backbone = load_causal_lm(base).backbone
    other = replace(adapter, tensors=fewer)
    with pytest.raises(InputError, match="belongs to another base"):
        list(METHOD.changes(other, backbone))
    with pytest.raises(InputError, match="belongs to another base"):
        METHOD.apply(other, backbone)


def test_a_layer_whose_output_has_other_axes_is_refused(base: Path) -> None:
    backbone = load_causal_lm(base).backbone
    layer = backbone.get_layer("decoder_block_0").attention.query_dense
    layer.equation = "btd,ndh->bthn"
    with pytest.raises(PocketGemmaError, match="whose output does not end in nh"):
        METHOD.attach(backbone, MethodSettings(2, 2.0, ("query",)))
