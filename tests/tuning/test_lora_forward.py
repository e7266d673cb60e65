"""Promise: LoRA beside the kernel gives the values and gradients of LoRA inside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import PocketGemmaError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.lora_forward import compute_beside_kernel, enable_lora
from pipeline.tuning.loss import Batches, response_model
from tests.tuning.conftest import EVERY_TARGET


def loss_and_gradients(
    base: Path, examples: EncodedExamples, *, beside: bool, dtype: str = "float32"
) -> tuple[Any, dict[str, Any]]:
    """Of one batch, with an adapter that is far from zero."""
    backbone = load_causal_lm(base, dtype).backbone
    layers = enable_lora(backbone, 4, 2.0, EVERY_TARGET)
    if beside:
        compute_beside_kernel(layers.values())
    random = np.random.default_rng(0)
    variables = {
        f"{name}.{part}": getattr(layer, f"lora_kernel_{part}")
        for name, layer in layers.items()
        for part in "ab"
    }
    for variable in variables.values():
        variable.assign(0.1 * random.standard_normal(variable.shape).astype(np.float32))
    model = response_model(backbone)
    ((inputs, rows, weights),), _ = next(Batches(examples, 4, None).epoch(0))
    loss = model.compute_loss(inputs, rows, model(inputs, training=True), weights)
    loss.backward()
    return float(loss), {name: variable.value.grad.numpy() for name, variable in variables.items()}


def test_values_and_gradients_are_equal(base: Path, examples: EncodedExamples) -> None:
    inside, wanted = loss_and_gradients(base, examples, beside=False)
    beside, found = loss_and_gradients(base, examples, beside=True)
    assert beside == pytest.approx(inside, rel=1e-5)
    for name in wanted:
        limit = 1e-4 * np.abs(wanted[name]).max()
        np.testing.assert_allclose(found[name], wanted[name], atol=limit, err_msg=name)


def test_in_bfloat16_they_are_near(base: Path, examples: EncodedExamples) -> None:
    exact, wanted = loss_and_gradients(base, examples, beside=True)
    rough, found = loss_and_gradients(base, examples, beside=True, dtype="bfloat16")
    assert rough == pytest.approx(exact, rel=0.05)
    for name in wanted:
        assert found[name].dtype == np.float32
        assert np.vdot(found[name], wanted[name]) > 0.95 * np.linalg.norm(found[name]) * np.linalg.norm(
            wanted[name]
        )


def test_the_frozen_kernel_gets_no_gradient(base: Path, examples: EncodedExamples) -> None:
    backbone = load_causal_lm(base).backbone
    layers = enable_lora(backbone, 2, 1.0, ("query",))
    compute_beside_kernel(layers.values())
    assert all(not layer._kernel.value.requires_grad for layer in layers.values())
    assert all(layer.lora_kernel_a.value.requires_grad for layer in layers.values())


def test_a_layer_with_a_bias_is_refused() -> None:
    import keras

    layer = keras.layers.Dense(4)
    layer.build((None, 4))
    layer.enable_lora(2)
    with pytest.raises(PocketGemmaError, match="bias"):
        compute_beside_kernel([layer])
