"""Quantisation-aware LoRA: the adapter is trained against the matrices as they will be rounded.

The forward pass sees s * round(W / s) with W = W0 + (alpha / rank) A B, so the loss is that of the rounded model; the gradient passes
the rounding as if it were not there (the straight-through estimator: Bengio et al. 2013, arXiv:1308.3432) and is zero where an integer
is at its limit (LSQ: Esser et al. 2020, arXiv:1902.08153, section 2.1). After training W is rounded once more, to the same integers, and
no float matrix remains (LR-QAT: Bondarenko et al. 2024, arXiv:2406.06385).

What has no adapter, the embedding always, is rounded before the first step, so that the adapter makes up for its error too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PocketGemmaError
from pipeline.families.names import EMBEDDING, MATRICES, hugging_face_name, parse_adapter_name
from pipeline.gemma.causal_lm import matrix_layers
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, with_scales
from pipeline.quantization.schemes import Scheme

if TYPE_CHECKING:
    import keras
    import keras_hub

Scales = Mapping[str, NDArray[np.float32]]
"""(out, blocks) by a matrix's Hugging Face name."""

INPUT_AXES = {
    "query": (1,),
    "key": (1,),
    "value": (1,),
    "output": (0, 1),
    "gate": (0,),
    "up": (0,),
    "down": (0,),
}
"""The axes of a kernel that are its matrix's columns; the others are its rows."""


@dataclass(frozen=True)
class Rounding:
    """How one kernel is rounded inside the model.

    Attributes:
        scales: tensor that broadcasts against the kernel, float32.
        largest: integer at which the kernel is cut off.
    """

    scales: Any
    largest: int

    def __call__(self, kernel: Any) -> Any:
        """s * round(kernel / s), with the gradient of the identity between the limits and none beyond."""
        from keras import ops

        steps = ops.clip(kernel / self.scales, -self.largest, self.largest)
        # In this order the sum is the integer itself, to the bit: steps - steps is zero.
        integers = ops.stop_gradient(ops.round(steps)) + (steps - ops.stop_gradient(steps))
        return integers * self.scales


def enable_rounding(
    backbone: "keras_hub.models.Backbone",
    layers: "Mapping[str, keras.layers.EinsumDense]",
    scheme: Scheme,
) -> dict[str, NDArray[np.float32]]:
    """Let a backbone compute with rounded matrices, while LoRA trains.

    Args:
        backbone: with LoRA enabled; its other matrices and the embedding are replaced by what is stored of them.
        layers: the adapted layers, as `enable_lora` returned them.
        scheme: bits and blocks.

    Returns:
        The scales of every matrix: those of W0 with the least squared error.

    Raises:
        PocketGemmaError: a kernel inside the model is not rounded as its matrix is stored.
    """
    scales = {}
    adapted = {hugging_face_name(name): (name, layer) for name, layer in layers.items()}
    for name, target, kernel in _kernels(backbone):
        bits = scheme.bits_of(name)
        stored = least_squares(_matrix(target, kernel), bits, scheme.block_of(name))
        scales[name] = stored.scales
        if name in adapted:
            _round_inside(*adapted[name], stored)
        else:
            kernel.assign(_as_kernel(target, stored.dequantized(), kernel.shape))
    return scales


def round_matrices(backbone: "keras_hub.models.Backbone", scales: Scales, scheme: Scheme) -> None:
    """Replace every matrix of a merged backbone by what is stored of it.

    Args:
        backbone: float32, without LoRA.
        scales: of every matrix.
        scheme: bits.
    """
    for name, target, kernel in _kernels(backbone):
        stored = with_scales(_matrix(target, kernel), scales[name], scheme.bits_of(name))
        kernel.assign(_as_kernel(target, stored.dequantized(), kernel.shape))


def _kernels(backbone: "keras_hub.models.Backbone") -> Iterator[tuple[str, str | None, Any]]:
    """Hugging Face name, target (None: the embedding) and variable of every matrix, without what LoRA adds."""
    yield EMBEDDING, None, backbone.token_embedding.embeddings
    for target in MATRICES:
        for name, layer in matrix_layers(backbone, target):
            yield hugging_face_name(name), target, layer._kernel


def _round_inside(name: str, layer: "keras.layers.EinsumDense", stored: Quantized) -> None:
    """Give an adapted layer a kernel that is rounded after LoRA is added."""
    import keras
    from keras import ops

    class RoundedEinsumDense(keras.layers.EinsumDense):
        rounding: Rounding

        @property
        def kernel(self) -> Any:
            # In float32 whatever the layer computes in: the merged matrix is, and must round to the same integers.
            a, b = (ops.cast(tensor, "float32") for tensor in (self.lora_kernel_a, self.lora_kernel_b))
            delta = ops.matmul(a, b) * (self.lora_alpha / self.lora_rank)
            return ops.cast(self.rounding(ops.cast(self._kernel, "float32") + delta), self.compute_dtype)

    target = parse_adapter_name(name)[1]
    scales = _scales_as_kernel(target, stored.scales, layer._kernel.shape)
    rounding = Rounding(ops.convert_to_tensor(scales), LARGEST[stored.bits])
    # Without an adapter's change it must be what is stored of W0: a scale along the wrong axis would pass unseen until the phone.
    inside = _matrix(target, rounding(ops.cast(layer._kernel, "float32")))
    if not np.allclose(inside, stored.dequantized(), rtol=1e-5, atol=0):
        raise PocketGemmaError(f"{name}: the kernel is not rounded in training as its matrix is stored")
    layer.__class__ = RoundedEinsumDense
    layer.rounding = rounding  # type: ignore[attr-defined]


def _scales_as_kernel(
    target: str, scales: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Scales (out, blocks) in the layout of a kernel; where a row has one scale, the input axes are 1 long."""
    columns = int(np.prod([shape[axis] for axis in INPUT_AXES[target]]))
    blocks = scales.shape[1]
    full = _as_kernel(target, np.repeat(scales, columns // blocks, axis=1), shape)
    if blocks > 1:
        return full
    places = [slice(0, 1) if axis in INPUT_AXES[target] else slice(None) for axis in range(len(shape))]
    return np.ascontiguousarray(full[tuple(places)])


def _matrix(target: str | None, kernel: Any) -> NDArray[np.float32]:
    from keras import ops

    values = np.asarray(ops.convert_to_numpy(ops.cast(kernel, "float32")))
    return np.ascontiguousarray(values if target is None else MATRICES[target].as_matrix(values))


def _as_kernel(
    target: str | None, matrix: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The inverse of `as_matrix`: a matrix (out, in) in the layout of a kernel of `shape`."""
    if target in ("query", "key", "value"):
        heads, hidden, head_dim = shape
        return matrix.reshape(heads, head_dim, hidden).transpose(0, 2, 1)
    if target == "output":
        return matrix.T.reshape(shape)
    return matrix if target is None else matrix.T
