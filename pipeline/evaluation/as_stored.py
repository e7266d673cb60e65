"""A Keras model that computes what a converted file computes: with the numbers that the file stores, and with
activations rounded to 8 bits where the runtime rounds them.

What is left between this model and the runtime is rounding in float32, so any other error of the file shows,
however coarse its quantization is.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.families.names import EMBEDDING, MATRICES, OTHER_MATRICES, TARGETS, hugging_face_name
from pipeline.gemma.causal_lm import matrix_layers, other_matrices, use_layers_for_products

if TYPE_CHECKING:
    import keras
    import keras_hub

LEAST, MOST = -128, 127
"""Activations in the runtime are signed 8-bit integers with a zero point."""

EVERY_MATRIX = (*TARGETS, *OTHER_MATRICES)

Read = Callable[[str], NDArray[np.float32]]
"""Gives the values of a matrix, (out, in), by its Hugging Face name."""


@dataclass
class Disturbance:
    """By how much the input of every product is changed, as a share of each value, with alternating signs. It
    stands for the rounding errors in which two implementations of the same computation differ."""

    share: float = 0.0


def compute_as_stored(
    model: "keras_hub.models.CausalLM",
    read: Read,
    *,
    rounded_inputs: Collection[str],
    deltas: Mapping[str, NDArray[np.float32]] | None = None,
) -> Disturbance:
    """Change a model, in place, to the computation of a converted file.

    Args:
        model: without LoRA, in float32.
        read: the values that the file stores.
        rounded_inputs: the matrices whose input the runtime rounds to 8 bits, by their short name, and those
            of no layer by their Hugging Face name (EMBEDDING for the projection onto the vocabulary):
            EVERY_MATRIX for a file of integers.
        deltas: what a run-time adapter adds to matrices, (out, in), by Hugging Face name. The runtime
            multiplies it by the unrounded input.

    Returns:
        The disturbance of the model, initially none.
    """
    disturbance, backbone = Disturbance(), model.backbone
    use_layers_for_products(backbone)
    for target, matrix in MATRICES.items():
        for name, layer in matrix_layers(backbone, target):
            full_name, shape = hugging_face_name(name), tuple(layer.kernel.shape)
            layer.kernel.assign(matrix.as_kernel(read(full_name), shape))
            delta = (
                None
                if deltas is None or full_name not in deltas
                else matrix.as_kernel(deltas[full_name], shape)
            )
            layer.call = _product(layer, delta, target in rounded_inputs, disturbance)
    for other, layer, variable in other_matrices(backbone):
        variable.assign(other.as_variable(read(other.tensor)))
        rounds = other.tensor in rounded_inputs
        if other.tensor == EMBEDDING:
            layer.call = _projection(layer, rounds, disturbance)
        elif not other.lookup:
            layer.call = _product(layer, None, rounds, disturbance)
    return disturbance


def _projection(
    embedding: "keras.layers.Layer", rounds: bool, disturbance: Disturbance
) -> Callable[..., Any]:
    lookup_or_project = embedding.call

    def call(inputs: Any, reverse: bool = False) -> Any:
        if reverse:
            inputs = _as_input(inputs, rounds, disturbance)
        return lookup_or_project(inputs, reverse=reverse)

    return call


def _product(
    layer: "keras.layers.Layer", delta: NDArray[np.float32] | None, rounds: bool, disturbance: Disturbance
) -> Callable[..., Any]:
    from keras import ops

    multiply = layer.call

    def call(inputs: Any, *arguments: Any, **options: Any) -> Any:
        result = multiply(_as_input(inputs, rounds, disturbance), *arguments, **options)
        return result if delta is None else result + ops.einsum(layer.equation, inputs, delta)

    return call


def _as_input(values: Any, rounds: bool, disturbance: Disturbance) -> Any:
    """The input of a product, (batch, tokens, …), as the runtime takes it."""
    from keras import ops

    if disturbance.share:
        signs = np.resize(np.array([1, -1], np.float32), tuple(values.shape[2:]))
        values = values * (1 + disturbance.share * signs)
    if not rounds:
        return values
    # As XNNPACK rounds the input of a product with integer weights, each token by its own range
    # (xnn_f32_qd8_asymmetric_quantization_params, BSD-3-Clause; the formulas, not the code).
    axes = tuple(range(2, len(values.shape)))
    low = ops.minimum(ops.min(values, axis=axes, keepdims=True), 0.0)
    high = ops.maximum(ops.max(values, axis=axes, keepdims=True), 0.0)
    steps = ops.where(high == low, 1.0, (MOST - LEAST) / ops.where(high == low, 1.0, high - low))
    error_at_ends = (LEAST + low * steps) + (MOST + high * steps)
    zero = ops.where(error_at_ends > 0, LEAST - low * steps, MOST - high * steps)
    zero = ops.round(ops.clip(zero, LEAST, MOST))
    rounded = ops.clip(ops.round(values * steps) + zero, LEAST, MOST)
    return (rounded - zero) / steps
