"""LoRA in Keras's layers, and its forward pass beside the kernel: W x + s (x A) B.

Keras adds A B to the kernel in every step, (W + s A B) x, which is the same up to rounding. Its gradient then
passes through the whole kernel, although W is frozen: six instead of four operations for each parameter and
token, and a gradient as large as the kernel in memory.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import PocketGemmaError
from pipeline.families.names import MATRICES, adapter_name
from pipeline.gemma.causal_lm import matrix_layers, shape_of
from pipeline.tuning.fused_lora import fused_lora

if TYPE_CHECKING:
    import keras
    import keras_hub


def enable_lora(
    backbone: "keras_hub.models.Backbone", rank: int, scale: float, targets: Sequence[str]
) -> "dict[str, keras.layers.Layer]":
    """Freeze the backbone and add LoRA to the named matrices of every decoder block.

    KerasHub's own `enable_lora` does the work; it takes no alpha, so alpha is set on each layer afterwards.

    Args:
        backbone: without LoRA.
        rank: of A and B.
        scale: what A B is multiplied by; Keras computes it as alpha / rank.
        targets: short names of the matrices.

    Returns:
        The adapted layers by name (`decoder_block_0.query`, …).

    Raises:
        PocketGemmaError: a layer lacks a target that its family has there, or does not take LoRA.
    """
    backbone.enable_lora(rank, target_layer_names=[MATRICES[target].keras_layer for target in targets])
    layers = {name: layer for target in targets for name, layer in matrix_layers(backbone, target)}
    shape = shape_of(backbone)
    # A layer that shares another layer's keys and values has no matrices for them.
    expected = {
        adapter_name(layer, matrix.name)
        for layer in range(shape.layers)
        for matrix in shape.matrices_in(layer)
        if matrix.name in targets
    }
    adapted = {name for name, layer in layers.items() if layer.lora_enabled}
    if not expected or adapted != expected or adapted != layers.keys():
        raise PocketGemmaError(
            f"{type(backbone).__name__}: LoRA was added to {len(adapted)} of {len(expected)} matrices "
            f"({', '.join(targets)})"
        )
    for layer in layers.values():
        layer.lora_alpha = scale * rank
    return layers


def compute_beside_kernel(layers: "Iterable[keras.layers.Layer]") -> None:
    """Make layers with LoRA enabled compute its term beside the kernel.

    Args:
        layers: Dense or EinsumDense.

    Raises:
        PocketGemmaError: a layer has a bias or an activation, which this does not compute.
    """
    for layer in layers:
        if layer.bias is not None or _does_something(layer.activation):
            raise PocketGemmaError(f"{layer.path}: has a bias or an activation, expected only a kernel")
        layer.__class__ = _beside_kernel(type(layer))  # type: ignore[arg-type]


def _does_something(activation: Any) -> bool:
    import keras

    return activation is not None and activation is not keras.activations.linear


@cache
def _beside_kernel(base: Any) -> Any:
    import keras

    class BesideKernel(base):  # type: ignore[misc]
        @property
        def lora_scale(self) -> float:
            return self.lora_alpha / self.lora_rank  # type: ignore[no-any-return]

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            if keras.config.backend() == "torch":
                found = fused_lora(self, inputs)
                if found is not None:
                    return found
            return _product(self, inputs, self._kernel) + lora_term(self, inputs)

    return BesideKernel


def lora_term(layer: "keras.layers.Layer", inputs: Any) -> Any:
    """s (x A) B of a layer that computes LoRA beside its kernel."""
    from keras import ops

    # Keras keeps A and B in float32 even if the layer computes in another dtype.
    a, b = (ops.cast(each, layer.compute_dtype) for each in (layer.lora_kernel_a, layer.lora_kernel_b))
    return ops.matmul(_product(layer, inputs, a) * layer.lora_scale, b)


def _product(layer: "keras.layers.Layer", inputs: Any, kernel: Any) -> Any:
    from keras import ops

    equation = getattr(layer, "equation", None)
    return ops.matmul(inputs, kernel) if equation is None else ops.einsum(equation, inputs, kernel)
