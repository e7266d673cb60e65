"""Promise: layers that are computed twice give the same gradients, and less is kept for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.gemma.causal_lm import load_backbone
from pipeline.tuning.fused_norms import fuse_norms
from pipeline.tuning.loss import Batches, response_model
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS
from pipeline.tuning.rematerialization import rematerialize
from tests.support.random_presets import write_keras_preset
from tests.tuning.gradients import loss_and_gradients


@pytest.mark.slow
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layers_computed_twice_give_the_same_gradients_with_less_kept(
    base: Path, examples: EncodedExamples, dtype: str, fused: bool
) -> None:
    def once(backbone: Any) -> None:
        if fused:
            fuse_norms(backbone)

    def twice(backbone: Any) -> None:
        rematerialize(backbone)
        once(backbone)

    loss, gradients, kept = loss_and_gradients(base, examples, once, dtype)
    again, found, less = loss_and_gradients(base, examples, twice, dtype)
    assert again == loss
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(found[name], gradient, err_msg=name)
    assert less < kept / 3


def test_gemma4_shares_keys_and_values_between_layers(examples: EncodedExamples, tmp_path: Path) -> None:
    preset = write_keras_preset("gemma4", tmp_path)
    loss, gradients, _ = loss_and_gradients(preset, examples)
    again, found, _ = loss_and_gradients(preset, examples, rematerialize)
    assert again == loss
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "norms"])
def test_the_second_computation_has_the_precision_of_the_first(
    method: str, examples: EncodedExamples, tmp_path: Path
) -> None:
    """With weights in float32 and products in bfloat16; Gemma 4 multiplies by kernels itself."""
    preset = write_keras_preset("gemma4", tmp_path)
    losses = []
    for twice in (False, True):
        backbone = load_backbone(preset, "mixed_bfloat16")
        METHODS[method].attach(backbone, MethodSettings(4, 4.0, ()))
        if twice:
            rematerialize(backbone)
        model = response_model(backbone)
        model.compile(optimizer="sgd")
        ((inputs, rows, weights),), _ = next(Batches(examples, 4, None).epoch(0))
        steps = [model.train_on_batch(inputs, rows, weights, return_dict=True)["loss"] for _ in range(2)]
        assert steps[1] != steps[0]
        losses.append(steps)
    assert losses[1] == losses[0]


def test_tensorflow_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone(base)
    monkeypatch.setattr("keras.config.backend", lambda: "tensorflow")
    with pytest.raises(InputError, match=r"set finetune\.backend: torch or jax, or remove the key"):
        rematerialize(backbone)
