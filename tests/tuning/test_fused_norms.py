"""Promise: a fused norm has the values and gradients of KerasHub's layer, in every family, and no other layer
is changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_backbone
from pipeline.tuning.fused_norms import fuse_norms

LIMITS = {"float32": 1e-5, "bfloat16": 0.02, "mixed_bfloat16": 0.02}
"""Of a difference, as a share of the largest value: the rounding of the dtype."""


def norms(backbone: Any) -> list[Any]:
    return [
        layer for layer in backbone._flatten_layers() if [each.name for each in layer.weights] == ["scale"]
    ]


def gradients(layer: Any, vectors: Any) -> tuple[Any, Any, Any]:
    """The output, and the gradients with respect to the input and the scale."""
    import torch

    states = vectors.clone().requires_grad_()
    scale = layer.scale.value
    scale.requires_grad_()
    scale.grad = None
    output = layer(states)
    weights = torch.linspace(-1, 1, output.numel()).reshape(output.shape)
    (output.float() * weights).sum().backward()
    return output.detach().float(), states.grad.float(), scale.grad.clone().float()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", LIMITS)
def test_values_and_gradients_are_those_of_keras(preset: Path, dtype: str) -> None:
    import torch

    plain, fused = (load_backbone(preset, dtype) for _ in range(2))
    fuse_norms(fused)
    shape = read_shape(preset)
    changed = [layer for layer in norms(fused) if type(layer).__name__ == "FusedNorm"]
    assert len(changed) == len(norms(fused))
    assert len(changed) >= sum(len(shape.norms_in(layer)) for layer in range(shape.layers)) + 1
    random = np.random.default_rng(0)
    for before, after in zip(norms(plain), norms(fused), strict=True):
        width = before.scale.shape[0]
        values = random.standard_normal((2, 3, width)).astype(np.float32) * random.uniform(0.1, 30)
        vectors = torch.from_numpy(values).to(getattr(torch, before.compute_dtype))
        for name, wanted, found in zip(
            ("output", "of the input", "of the scale"),
            gradients(before, vectors),
            gradients(after, vectors),
            strict=True,
        ):
            limit = LIMITS[dtype] * float(wanted.abs().max())
            assert float((found - wanted).abs().max()) <= limit, f"{after.path}: {name}"


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.1), (1.001, 0.0)])
def test_a_norm_that_computes_something_else_does_not_change(factor: float, shift: float, base: Path) -> None:
    backbone = load_backbone(base)
    final = backbone.get_layer("final_normalization")

    class Other(type(final)):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return super().call(x) * factor + shift

    final.__class__ = Other
    fuse_norms(backbone)
    assert type(final) is Other
    assert type(backbone.get_layer("decoder_block_0").pre_attention_norm).__name__ == "FusedNorm"


def test_fusing_again_changes_nothing(base: Path) -> None:
    backbone = load_backbone(base)
    fuse_norms(backbone)
    before = [type(layer) for layer in backbone._flatten_layers()]
    fuse_norms(backbone)
    assert [type(layer) for layer in backbone._flatten_layers()] == before


def test_only_norms_change(base: Path) -> None:
    backbone = load_backbone(base)
    layers = list(backbone._flatten_layers())
    before = [type(layer) for layer in layers]
    fuse_norms(backbone)
    changed = [layer for layer, kind in zip(layers, before, strict=True) if type(layer) is not kind]
    assert set(map(id, changed)) == set(map(id, norms(backbone)))
