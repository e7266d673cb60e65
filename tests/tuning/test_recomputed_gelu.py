"""Promise: what GELU gives is not kept for the gradient, and no value and no gradient changes."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import hidden_states, load_backbone, shape_of
from pipeline.tuning import recomputed_gelu
from pipeline.tuning.lora_forward import compute_beside_kernel, enable_lora
from pipeline.tuning.loss import Batches, response_model
from tests.tuning.conftest import EVERY_TARGET


class Layer:
    """A gated feed-forward layer with its inputs."""

    def __init__(self) -> None:
        import torch

        generator = torch.Generator().manual_seed(0)
        self.weights = [
            torch.randn(shape, generator=generator, requires_grad=True)
            for shape in ((4, 5, 6), (6, 8), (6, 8), (8, 6))
        ]

    def output(self, *, swapped: bool = False, reshaped: bool = False) -> Any:
        import torch

        inputs, gate, up, down = self.weights
        factors = torch.nn.functional.gelu(inputs @ gate, approximate="tanh"), inputs @ up
        product = factors[1] * factors[0] if swapped else factors[0] * factors[1]
        return (product.reshape(-1, 8) if reshaped else product) @ down

    def gradients(self, output: Any) -> list[Any]:
        import torch

        return list(torch.autograd.grad(output.square().sum(), self.weights))


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("reshaped", [False, True])
def test_no_value_and_no_gradient_changes(swapped: bool, reshaped: bool) -> None:
    import torch

    layer = Layer()
    plain = layer.output(swapped=swapped, reshaped=reshaped)
    with recomputed_gelu.recomputed_gelu():
        found = layer.output(swapped=swapped, reshaped=reshaped)
    assert torch.equal(found, plain)
    for one, other in zip(layer.gradients(found), layer.gradients(plain), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("targets", [EVERY_TARGET, ("query", "value")])
def test_the_layers_of_every_family_keep_neither_gelu_nor_product(
    targets: tuple[str, ...], preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product is kept only where A of the matrix behind it is trained."""
    import torch

    backbone = load_backbone(preset)
    compute_beside_kernel(enable_lora(backbone, 2, 1.0, targets).values())
    trained = [variable.value for variable in backbone.trainable_variables]
    made: list[str] = []
    for name in ("_Gelu", "_Product"):
        note_objects(name, made, monkeypatch)
    ids = torch.arange(2, 26, dtype=torch.int32).reshape(2, 12)
    with recomputed_gelu.recomputed_gelu():
        found = hidden_states(backbone, ids, torch.ones_like(ids))
    plain = hidden_states(backbone, ids, torch.ones_like(ids))
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), trained),
        torch.autograd.grad(plain.square().sum(), trained),
        strict=True,
    ):
        assert torch.equal(one, other)
    layers = shape_of(backbone).layers
    assert made.count("_Gelu") >= layers - 1  # nothing is trained before the first one of query and value
    assert made.count("_Product") == (layers if "down" in targets else 0)


def note_objects(name: str, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note the name of a class whenever an object of it is made, which is then kept."""
    plain = getattr(recomputed_gelu, name)

    class Noted(plain):  # type: ignore[misc,valid-type]
        def __init__(self, *arguments: Any) -> None:
            made.append(name)
            super().__init__(*arguments)

    monkeypatch.setattr(recomputed_gelu, name, Noted)


def test_gelu_is_computed_once_more_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    calls: list[str] = []
    plain = torch.nn.functional.gelu

    def note(*arguments: Any, **options: Any) -> Any:
        calls.append("gelu")
        return plain(*arguments, **options)

    layer = Layer()
    with recomputed_gelu.recomputed_gelu():
        found = layer.output()
    monkeypatch.setattr(torch.nn.functional, "gelu", note)
    layer.gradients(found)
    assert len(calls) == 1


def test_training_keeps_neither_and_validation_asks_for_nothing(
    base: Path, examples: EncodedExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load_backbone(base)
    compute_beside_kernel(enable_lora(backbone, 2, 1.0, EVERY_TARGET).values())
    model = response_model(backbone)
    model.compile(optimizer="adam", jit_compile=False)
    made: list[str] = []
    for name in ("_Gelu", "_Product"):
        note_objects(name, made, monkeypatch)
    (part,), _ = next(Batches(examples, 4, None).epoch(0))
    model(part.inputs, training=False)  # with gradients, unlike test_on_batch
    assert not made
    model.train_on_batch(*part)
    assert made.count("_Product") == shape_of(backbone).layers


def test_nothing_is_left_of_a_step_that_was_interrupted() -> None:
    import gc
    import weakref

    import torch

    def interrupted() -> weakref.ref[Any]:
        layer = Layer()
        with pytest.raises(MemoryError), recomputed_gelu.recomputed_gelu():
            output = torch.softmax(layer.output(), -1).tanh()
            inner = weakref.ref(output)
            raise MemoryError
        return inner

    found = interrupted()
    gc.collect()
    assert found() is None
