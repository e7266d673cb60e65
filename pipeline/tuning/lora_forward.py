"""LoRA beside the kernel: W x + (alpha / rank) (x A) B.

Keras adds A B to the kernel in every step, (W + (alpha / rank) A B) x, which is the same up to rounding. Its
gradient then passes through the whole kernel, although W is frozen: six instead of four operations for each
parameter and token, and a gradient as large as the kernel in memory.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import PocketGemmaError

if TYPE_CHECKING:
    import keras


def compute_beside_kernel(layers: "Iterable[keras.layers.Layer]") -> None:
    """Make layers with LoRA enabled compute its term beside the kernel.

    Args:
        layers: Dense or EinsumDense.

    Raises:
        PocketGemmaError: a layer has a bias or an activation, which this does not compute.
    """
    for layer in layers:
        if layer.bias is not None or _does_something(layer.activation):
            raise PocketGemmaError(f"{layer.path}: has a bias or an activation beside its kernel")
        layer.__class__ = _beside_kernel(type(layer))  # type: ignore[arg-type]


def _does_something(activation: Any) -> bool:
    import keras

    return activation is not None and activation is not keras.activations.linear


@cache
def _beside_kernel(base: Any) -> Any:
    from keras import ops

    class BesideKernel(base):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            scale = self.lora_alpha / self.lora_rank
            # Keras keeps A and B in float32, whatever the layer computes in.
            a, b = (ops.cast(each, self.compute_dtype) for each in (self.lora_kernel_a, self.lora_kernel_b))
            return self._product(inputs, self._kernel) + ops.matmul(self._product(inputs, a), b) * scale

        def _product(self, inputs: Any, kernel: Any) -> Any:
            equation = getattr(self, "equation", None)
            return ops.matmul(inputs, kernel) if equation is None else ops.einsum(equation, inputs, kernel)

    return BesideKernel
