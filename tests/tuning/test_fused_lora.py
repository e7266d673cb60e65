"""Promise: LoRA as one operation has the values and gradients of its formula, in every layer of the families,
and keeps neither a copy of the kernel nor the output for the gradient."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.gemma.causal_lm import hidden_states, load_backbone, shape_of
from pipeline.tuning.fused_lora import fused_lora
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
    product = fused_lora(layer, states)
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
    assert fused_lora(layer, states) is None
    wanted = _product(layer, states, layer._kernel) + lora_term(layer, states)
    assert torch.equal(layer(states), wanted)


def test_the_layers_of_every_family_are_fused(preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    backbone = load_backbone(preset)
    layers = enable_lora(backbone, 2, 1.0, EVERY_TARGET)
    compute_beside_kernel(layers.values())
    called: set[str] = set()
    fused: set[str] = set()

    def note(layer: Any, inputs: Any) -> Any:
        called.add(layer.path)
        found = fused_lora(layer, inputs)
        if found is not None:
            fused.add(layer.path)
        return found

    monkeypatch.setattr("pipeline.tuning.lora_forward.fused_lora", note)
    ids = torch.ones((1, 4), dtype=torch.int32)
    hidden_states(backbone, ids, ids)
    assert fused == called
    everything = {layer.path for layer in layers.values()}
    # KerasHub's Gemma 4 multiplies by some kernels without calling their layers.
    assert called < everything if shape_of(backbone).family.name == "gemma4" else called == everything
    assert called


@pytest.mark.parametrize("dtype", LIMITS)
def test_no_kernel_and_no_output_is_kept(dtype: str) -> None:
    """In bfloat16, casting keeps no values, and A and B are kept as they were cast."""
    import torch

    equation, inputs, kernel = FORMS["query"]
    layer = layer_of(equation, inputs, kernel, dtype)
    own = (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
    addresses = {each.value.untyped_storage().data_ptr() for each in own}
    states = torch.ones((2, 7, *inputs), dtype=getattr(torch, dtype), requires_grad=True)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in addresses:
            kept[storage.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        fused_lora(layer, states)
    rows, heads, rank = 14, 3, 4
    factors = [] if dtype == "float32" else [int(np.prod(each.shape)) for each in own[1:]]
    assert sorted(kept.values()) == sorted([states.numel(), rows * heads * rank, *factors])


def test_many_heads_add_no_rounding_in_bfloat16() -> None:
    import torch

    width, heads = 256, 32
    layer = layer_of("btd,ndh->btnh", (width,), (heads, width, 8), "bfloat16")
    exact = layer_of("btd,ndh->btnh", (width,), (heads, width, 8), "float32")
    for name in ("_kernel", "lora_kernel_a", "lora_kernel_b"):
        rounded = getattr(layer, name).value.detach().bfloat16().float()
        for each in (layer, exact):
            getattr(each, name).assign(rounded)
    values = torch.tensor(np.random.default_rng(1).standard_normal((4, 16, width)).astype(np.float32))

    def of_inputs(each: Any, dtype: torch.dtype, compute: Any) -> Any:
        states = values.bfloat16().to(dtype).requires_grad_()
        return gradients(each, states, compute(each, states))[1]

    def plainly(each: Any, states: Any) -> Any:
        return _product(each, states, each._kernel) + lora_term(each, states)

    wanted = of_inputs(exact, torch.float32, plainly)
    fused, plain = (of_inputs(layer, torch.bfloat16, compute) for compute in (fused_lora, plainly))
    assert float((fused - wanted).norm()) <= 1.3 * float((plain - wanted).norm())


def test_a_scale_beyond_float32_is_no_error() -> None:
    """The loss is then not finite, which training reports."""
    import torch

    layer = layer_of(*FORMS["query"], "float32")
    layer.lora_alpha = 1e300
    assert not torch.isfinite(fused_lora(layer, torch.ones((2, 7, 12)))).all()


def test_inputs_without_a_gradient_get_none() -> None:
    import torch

    layer = layer_of(*FORMS["query"], "float32")
    states = torch.ones((2, 7, 12))
    fused_lora(layer, states).sum().backward()
    assert states.grad is None
    assert layer.lora_kernel_a.value.grad.abs().max() > 0
