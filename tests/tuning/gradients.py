"""The loss and the gradients of LoRA on one batch, for tests of how they are computed."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import load_backbone
from pipeline.tuning import loss as objective
from pipeline.tuning.loss import Batches, response_model
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from tests.tuning.conftest import EVERY_TARGET

Prepare = Callable[[Any], None]


def loss_and_gradients(
    base: Path,
    examples: EncodedExamples,
    prepare: Prepare = lambda backbone: None,
    dtype: str = "float32",
) -> tuple[float, dict[str, np.ndarray], int]:
    """Of one batch with an adapter that is far from zero; and the bytes that are kept for the gradient.

    Args:
        base: a preset.
        examples: the batch has the first four.
        prepare: changes how a backbone with LoRA enabled computes.
        dtype: of the computation.
    """
    import torch
    from torch.autograd.graph import saved_tensors_hooks

    backbone = load_backbone(base, dtype)
    attachment = METHOD.attach(backbone, MethodSettings(4, 8.0, EVERY_TARGET))
    prepare(backbone)
    random = np.random.default_rng(0)
    variables = {
        f"{name}.{part}": getattr(layer, f"lora_kernel_{part}")
        for name, layer in attachment.layers.items()
        for part in "ab"
    }
    for variable in variables.values():
        variable.assign(0.1 * random.standard_normal(variable.shape).astype(np.float32))
    model = response_model(backbone)
    ((inputs, rows, weights),), _ = next(Batches(examples, 4, None).epoch(0))
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with pytest.MonkeyPatch.context() as patch, saved_tensors_hooks(keep, lambda tensor: tensor):
        # Only the innermost hooks are called.
        patch.setattr(objective, "_less_kept", lambda training: nullcontext())
        loss = model.compute_loss(inputs, rows, model(inputs, training=True), weights)
    loss.backward()
    gradients = {name: variable.value.grad.float().numpy() for name, variable in variables.items()}
    return float(loss.detach()), gradients, sum(kept.values())
