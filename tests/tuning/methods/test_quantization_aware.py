"""What is trained is what is stored: the integers of the converted matrices are those that the training
forward saw."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.data.tokenize import encode
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import MatrixKind
from pipeline.families.names import EMBEDDING, MATRICES, hugging_face_name, parse_adapter_name
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.quantization.rounding import least_squares
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter
from pipeline.tuning.loop import fit
from pipeline.tuning.loss import Batches, response_model
from pipeline.tuning.merge import merge
from pipeline.tuning.method import Attachment, MethodSettings
from pipeline.tuning.methods import lora, quantization_aware
from pipeline.tuning.methods.quantization_aware import METHOD, Rounding, trained_scales, with_trained_scales
from tests.tuning.conftest import EVERY_TARGET as TARGETS
from tests.tuning.conftest import SETTINGS

RECIPES = ("int4", "int4_embedding_int8", "int8", "int4_block32", "int4_block32_embedding_int8")
TIE = 1e-3
"""Steps: nearer to the middle of two integers than this, the order of a sum in float32 decides."""


@dataclass(frozen=True)
class Trained:
    """A model as training holds it, and its adapter."""

    model: Any
    attachment: Attachment
    adapter: Adapter


def rounded(base: Path, recipe: str, targets: tuple[str, ...] = TARGETS, rank: int = 4) -> Trained:
    """The base with a random adapter that changes every matrix by some tenths of its size, rounding on."""
    model = load_causal_lm(base)
    attachment = METHOD.attach(model.backbone, MethodSettings(rank, 2.0 * rank, targets, recipe))
    random = np.random.default_rng(0)
    for layer in attachment.layers.values():
        layer.lora_kernel_a.assign(random.normal(0, 0.05, layer.lora_kernel_a.shape))
        layer.lora_kernel_b.assign(random.normal(0, 0.1, layer.lora_kernel_b.shape))
    return Trained(model, attachment, METHOD.collect(attachment, "base"))


def logits(model: Any) -> Any:
    """Of some tokens, a tensor with its gradient."""
    ids = np.random.default_rng(1).integers(5, 1000, (2, 24)).astype("int32")
    return model({"token_ids": ids, "padding_mask": np.ones_like(ids)})


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_merged_matrices_round_to_the_integers_that_training_saw(
    base: Path, tmp_path: Path, recipe: str
) -> None:
    trained = rounded(base, recipe)
    merged = load_causal_lm(base)
    merge(merged.backbone, trained.adapter)
    write_hugging_face(merged, Tokenizer.of_preset(base), tmp_path / "hf")
    matrices = PresetMatrices(tmp_path / "hf")
    assert set(trained_scales(trained.adapter)) == set(matrices.names())
    assert {parse_adapter_name(name)[1] for name in trained.attachment.layers} == set(TARGETS)
    changed = 0
    for name, layer in trained.attachment.layers.items():
        matrix = matrices.read(hugging_face_name(name))
        stored = METHOD.deltas(trained.adapter).quantized(hugging_face_name(name), matrix)
        seen = quantization_aware._matrix(MATRICES[parse_adapter_name(name)[1]], layer.kernel)
        steps = np.repeat(stored.scales, matrix.shape[1] // stored.scales.shape[1], axis=1)
        integers = np.rint(seen / steps)
        undecided = np.abs(np.abs(matrix / steps) % 1 - 0.5) < TIE
        np.testing.assert_array_equal(integers[~undecided], stored.values[~undecided])
        assert np.abs(integers - stored.values).max() <= 1
        changed += int((stored.values != least_squares(matrix, stored.bits).values).sum())
    assert changed, "scales of W0 are not those of W"


def test_what_has_no_adapter_is_rounded_too(base: Path) -> None:
    before = {
        name: kernel.matrix() for name, kernel in quantization_aware._kernels(load_causal_lm(base).backbone)
    }
    trained = rounded(base, "int4_embedding_int8", targets=("query", "value"))
    for name, kernel in quantization_aware._kernels(trained.model.backbone):
        if isinstance(kernel.kind, MatrixKind) and kernel.kind.name in ("query", "value"):
            continue
        stored = METHOD.deltas(trained.adapter).quantized(name, before[name])
        assert stored.bits == (8 if name == EMBEDDING else 4)
        np.testing.assert_array_equal(kernel.matrix(), stored.dequantized(), err_msg=name)


def test_an_adapter_put_back_computes_what_training_did(base: Path, tmp_path: Path) -> None:
    trained = rounded(base, "int4")
    trained.adapter.save(tmp_path / "a.safetensors")
    again = load_causal_lm(base)
    METHOD.apply(load_adapter(tmp_path / "a.safetensors"), again.backbone)
    found, wanted = (logits(model).detach().numpy() for model in (again, trained.model))
    # A weight on the edge between two integers may fall to either side; it moves one logit by thousandths.
    assert np.abs(found - wanted).mean() < 1e-3
    plain = load_causal_lm(base)
    merge(plain.backbone, trained.adapter)
    assert np.abs(logits(plain).detach().numpy() - wanted).mean() > 0.1


def test_the_gradient_reaches_every_a_and_b_but_not_what_is_cut_off(base: Path) -> None:
    import torch

    trained = rounded(base, "int4")
    logits(trained.model).square().mean().backward()
    for name, layer in trained.attachment.layers.items():
        for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
            assert variable.value.grad.abs().max() > 0, name
    kernel = torch.tensor([0.26, -0.9, 2.0], requires_grad=True)
    out = Rounding(torch.tensor([0.1]), 7)(kernel)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), [0.3, -0.7, 0.7], rtol=1e-6)
    assert kernel.grad is not None
    np.testing.assert_array_equal(kernel.grad.numpy(), [1.0, 0.0, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_scales_of_other_rows_are_refused(base: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    whole: Callable[..., Any] = quantization_aware._scales_as_kernel

    def moved(kind: str, scales: Any, shape: tuple[int, ...]) -> Any:
        return whole(kind, np.roll(scales, 1, axis=0) if kind == target else scales, shape)

    monkeypatch.setattr(quantization_aware, "_scales_as_kernel", moved)
    with pytest.raises(PocketGemmaError, match=rf"decoder_block_0\.{target}: .* not rounded in training"):
        rounded(base, "int4", targets=(target,))


@pytest.mark.parametrize("target", ["query", "output"])
def test_another_order_of_the_heads_is_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    whole: Callable[..., Any] = MatrixKind.as_kernel

    def turned(kind: MatrixKind, matrix: Any, shape: tuple[int, ...]) -> Any:
        kernel = whole(kind, matrix, shape)
        return np.ascontiguousarray(kernel[::-1]) if kind.name == target else kernel

    monkeypatch.setattr(MatrixKind, "as_kernel", turned)
    if target == "output":
        # A row of this matrix runs through all heads, so its scale is the same for each: only blocks can go
        # wrong.
        rounded(base, "int4")
    with pytest.raises(PocketGemmaError, match=rf"decoder_block_0\.{target}"):
        rounded(base, "int4_block32")


@pytest.mark.slow
def test_training_improves_the_rounded_model(base: Path, tmp_path: Path) -> None:
    import keras

    examples = encode(
        [
            Example(
                (
                    {"role": "user", "content": f"Greet {name}."},
                    {"role": "assistant", "content": f"Hi, {name}!"},
                )
            )
            for name in ("gold", "iron", "neon", "zinc", "tin", "lead")
        ],
        Tokenizer.of_preset(base),
    )
    keras.utils.set_random_seed(0)
    backbone = load_causal_lm(base).backbone
    attachment = METHOD.attach(backbone, MethodSettings(4, 4.0, TARGETS, "int4"))
    settings = replace(SETTINGS, batch_size=6, epochs=12)
    training = fit(backbone, examples, examples, settings, FinetuneFiles(tmp_path))
    model = load_causal_lm(base).backbone
    METHOD.apply(METHOD.collect(attachment, "base"), model)
    answers = response_model(model)
    answers.compile(jit_compile=False)
    (responses,), _ = next(Batches(examples, 6, None).epoch(0))
    found = answers.test_on_batch(*responses, return_dict=True)
    assert float(found["loss"]) == pytest.approx(training.best_validation_loss, abs=0.05)
    assert training.best_validation_loss is not None and training.best_validation_loss < 1.0


def plain_adapter() -> Adapter:
    pair = (np.ones((4, 8, 2), np.float32), np.ones((2, 4), np.float32))
    return lora.LoraFactors(2, 2.0, ("query",), {"decoder_block_0.query": pair}).adapter("base")


def test_an_ordinary_adapter_has_no_integers() -> None:
    with pytest.raises(InputError, match="has no scales"):
        lora.METHOD.deltas(plain_adapter()).quantized(EMBEDDING, np.zeros((4, 4), np.float32))


def test_scales_are_read_back_with_their_recipe(tmp_path: Path) -> None:
    scales = {f"{EMBEDDING}.scales": np.full((8, 1), 0.5, np.float32)}
    with_trained_scales(plain_adapter(), "int4", scales).save(tmp_path / "a.safetensors")
    read = load_adapter(tmp_path / "a.safetensors")
    assert (read.method, read.settings["recipe"]) == (METHOD, "int4")
    assert lora.LoraFactors.of(read).pairs.keys() == lora.LoraFactors.of(plain_adapter()).pairs.keys()
    np.testing.assert_array_equal(trained_scales(read)[EMBEDDING], scales[f"{EMBEDDING}.scales"])


@pytest.mark.parametrize(
    ("recipe", "scales", "message"),
    [
        ("int3", {"x.scales": np.ones((8, 1), np.float32)}, "1 scale tensors for the recipe 'int3'"),
        ("int4", {}, "0 scale tensors for the recipe 'int4'"),
    ],
)
def test_scales_of_an_unknown_recipe_or_none_are_refused(
    tmp_path: Path, recipe: str, scales: dict[str, Any], message: str
) -> None:
    with_trained_scales(plain_adapter(), recipe, scales).save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=message):
        load_adapter(tmp_path / "a.safetensors")


def test_neither_the_runtime_nor_peft_has_a_form_for_it() -> None:
    adapter = with_trained_scales(plain_adapter(), "int4", {})
    with pytest.raises(InputError, match=r"scales for the rounded matrices.*graft"):
        METHOD.runtime_factors(adapter)
    assert not METHOD.has_runtime_form
    with pytest.raises(InputError, match="PEFT cannot represent"):
        METHOD.peft_content(adapter)


@pytest.mark.parametrize("recipe", ["int4", "int4_block32"])
def test_the_cost_is_what_training_counts_and_writes(base: Path, recipe: str) -> None:
    trained = rounded(base, recipe, targets=("query", "down"))
    cost = METHOD.cost(read_shape(base), trained.attachment.settings)
    layers = trained.attachment.layers.values()
    assert cost.parameters == sum(
        variable.value.numel() for layer in layers for variable in layer.trainable_variables
    )
    assert cost.adapter_bytes == sum(tensor.nbytes for tensor in trained.adapter.tensors.values())
