"""RMS norms as one operation in PyTorch, which keeps less for the gradient.

Keras computes a norm in some ten operations, and most of them keep their inputs for the gradient, in float32.
Here only the input, in its own dtype, and one number for each vector are kept.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import keras_hub

OFFSETS = (0.0, 1.0)
"""What KerasHub's families add to the stored scales."""

CLOSE = {"float32": 1e-4, "bfloat16": 0.02}
"""Difference that rounding explains, for each dtype in which a layer computes."""


def fuse_norms(backbone: "keras_hub.models.Backbone") -> None:
    """Compute the RMS norms of a backbone on PyTorch in one operation each; values change by rounding only.

    A layer counts as an RMS norm if it computes x / sqrt(mean(x²) + epsilon) * (scale + offset), with an
    offset of 0 or 1, for a test vector and scales of one. Other layers are not changed.
    """
    for layer in _norms(backbone):
        offset = _offset(layer)
        if offset is not None:
            layer.__class__ = _fused(type(layer), offset)  # type: ignore[arg-type]


def _norms(backbone: "keras_hub.models.Backbone") -> "Sequence[keras.layers.Layer]":
    return [
        layer
        for layer in backbone._flatten_layers()
        if hasattr(layer, "epsilon") and [each.name for each in layer.weights] == ["scale"]
        if not hasattr(layer, "norm_offset")  # not fused yet
    ]


def _offset(layer: "keras.layers.Layer") -> float | None:
    """What a norm adds to its scales; None if the layer computes something else."""
    import keras
    import torch

    ones = torch.ones_like(layer.scale.value.detach())
    vector = torch.linspace(-1.0, 2.0, len(ones), device=ones.device)[None]
    with torch.no_grad(), keras.StatelessScope(state_mapping=[(layer.scale, ones)]):
        found = layer(vector).float()
    close = CLOSE[keras.backend.standardize_dtype(layer.compute_dtype)]
    normed = vector * torch.rsqrt(vector.square().mean(-1, keepdim=True) + layer.epsilon)
    for offset in OFFSETS:
        if torch.allclose(found, normed * (1 + offset), rtol=close, atol=close):
            return offset
    return None


@cache
def _fused(base: Any, offset: float) -> Any:
    norm = _function()

    class FusedNorm(base):  # type: ignore[misc]
        norm_offset = offset

        def call(self, x: Any) -> Any:
            return norm.apply(
                x, self.scale.value.float() + self.norm_offset, self.epsilon, self.compute_dtype
            )

    return FusedNorm


@cache
def _function() -> Any:
    import torch

    class RMSNorm(torch.autograd.Function):  # type: ignore[misc]
        """Input (…, width), weight (width,) float32; output in the dtype that is named."""

        @staticmethod
        def forward(context: Any, x: Any, weight: Any, epsilon: float, dtype: str) -> Any:
            wide = x.float()
            inverse = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
            context.save_for_backward(x, inverse, weight)
            return (wide * inverse).mul_(weight).to(getattr(torch, dtype))

        @staticmethod
        def backward(context: Any, slope: Any) -> Any:
            x, inverse, weight = context.saved_tensors
            wide, slope = x.float(), slope.float()
            of_weight = None
            if context.needs_input_grad[1]:
                of_weight = (slope * wide * inverse).flatten(0, -2).sum(0)
            weighted = slope * weight
            along = (weighted * wide).mean(-1, keepdim=True)
            of_x = weighted.mul_(inverse).sub_(wide * (inverse**3 * along))
            return of_x.to(x.dtype), of_weight, None, None

    return RMSNorm
