"""Promise: LoRA as one operation has the values and gradients of its formula, in every layer of the families,
and keeps neither a copy of the kernel nor the output for the gradient."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.gemma.causal_lm import hidden_states, load_backbone
from pipeline.tuning.fused_lora import lora_product
from pipeline.tuning.lora_forward import _product, compute_beside_kernel, enable_lora, lora_term
from tests.tuning.conftest import EVERY_TARGET

LIMITS = {"float32": 1e-5, "bfloat16": 0.02}
"""Of a difference, as a share of the largest value: the rounding of the dtype."""

FORMS = {
    "dense": (None, (12,), (12, 20)),
    "feed-forward": ("btd,df->btf", (12,), (12, 20)),
    "query": ("btd,ndh->btnh", (12,), (3, 12, 5)),
    "output": ("btnh,nhd->btd", (3, 5), (3, 5, 12)),
}
"""Equation, the last axes of the inputs, and the shape of the kernel."""


def layer_of(equation: str | None, inputs: tuple[int, ...], kernel: tuple[int, ...], dtype: str) -> Any:
    """A layer with LoRA whose A and B are far from zero."""
    import keras

    if equation is None:
        layer = keras.layers.Dense(kernel[-1], use_bias=False, dtype=dtype)
    else:
        outputs = equation.split("->")[1][2:]
        sizes = dict(zip(equation.split(",")[1], kernel, strict=False))
        layer = keras.layers.EinsumDense(equation, (None, *(sizes[each] for each in outputs)), dtype=dtype)
    layer.build((2, 7, *inputs))
    layer.enable_lora(4, lora_alpha=6.0)
    random = np.random.default_rng(0)
    for variable in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b):
        variable.assign(random.standard_normal(variable.shape).astype(np.float32))
    compute_beside_kernel([layer])
    return layer


def gradients(layer: Any, states: Any, found: Any) -> list[Any]:
    """The output, and the gradients with respect to the inputs, A and B."""
    import torch

    variables = [layer.lora_kernel_a.value, layer.lora_kernel_b.value]
    weights = torch.linspace(-1, 1, found.numel()).reshape(found.shape)
    slopes = torch.autograd.grad((found.float() * weights).sum(), [states, *variables])
    return [each.detach().float() for each in (found, *slopes)]


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients_are_those_of_the_formula(form: str, dtype: str) -> None:
    import torch

    equation, inputs, kernel = FORMS[form]
    layer = layer_of(equation, inputs, kernel, dtype)
    values = np.random.default_rng(1).standard_normal((2, 7, *inputs)).astype(np.float32)
    states = torch.tensor(values).to(getattr(torch, dtype)).requires_grad_()
    product = lora_product(layer, states)
    assert product is not None
    plain = _product(layer, states, layer._kernel) + lora_term(layer, states)
    assert product.shape == plain.shape
    assert product.dtype == plain.dtype
    for found, wanted in zip(gradients(layer, states, product), gradients(layer, states, plain), strict=True):
        assert float((found - wanted).abs().max()) <= LIMITS[dtype] * float(wanted.abs().max())


def test_another_equation_is_computed_by_keras() -> None:
    """Here the inputs have no axis of positions."""
    import keras
    import torch

    layer = keras.layers.EinsumDense("bd,df->bf", (20,))
    layer.build((2, 12))
    layer.enable_lora(4)
    compute_beside_kernel([layer])
    states = torch.ones((2, 12))
    assert lora_product(layer, states) is None
    wanted = _product(layer, states, layer._kernel) + lora_term(layer, states)
    assert torch.equal(layer(states), wanted)


def test_the_layers_of_every_family_are_fused(preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    backbone = load_backbone(preset)
    layers = enable_lora(backbone, 2, 1.0, EVERY_TARGET)
    compute_beside_kernel(layers.values())
    fused: list[str] = []

    def note(layer: Any, inputs: Any) -> Any:
        found = lora_product(layer, inputs)
        if found is not None:
            fused.append(layer.path)
        return found

    monkeypatch.setattr("pipeline.tuning.lora_forward.lora_product", note)
    ids = torch.ones((1, 4), dtype=torch.int32)
    hidden_states(backbone, ids, ids)
    called = [layer.path for layer in layers.values() if layer.path in fused]
    assert called
    if backbone.__class__.__name__ != "Gemma4Backbone":  # which multiplies by some kernels itself
        assert set(called) == {layer.path for layer in layers.values()}


def test_no_kernel_and_no_output_is_kept() -> None:
    import torch

    equation, inputs, kernel = FORMS["query"]
    layer = layer_of(equation, inputs, kernel, "float32")
    own = {
        each.value.untyped_storage().data_ptr()
        for each in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
    }
    states = torch.ones((2, 7, *inputs), requires_grad=True)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        lora_product(layer, states)
    rows, heads, rank = 14, 3, 4
    assert sorted(kept.values()) == sorted([states.numel(), rows * heads * rank])
