"""DoRA beside the kernel: (m / ||V||) * (W0 x + s (x A) B) with V = W0 + s A B (Liu et al. 2024,
arXiv:2402.09353, section 4.1).

The norm runs over the input axes of a kernel. It is treated as a constant in the gradient, as
section 4.3 of the paper proposes and PEFT does: what the backward pass keeps of a matrix is one number for
each output.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import PocketGemmaError
from pipeline.families.names import MATRICES, parse_adapter_name
from pipeline.tuning.lora_forward import compute_beside_kernel

if TYPE_CHECKING:
    import keras


def decompose_weights(layers: "Mapping[str, keras.layers.Layer]") -> None:
    """Make layers with LoRA enabled compute DoRA, and give each a trainable magnitude, `lora_magnitude`: that
    of its kernel, so that the output stays the same.

    Args:
        layers: Dense or EinsumDense by their name in the adapter.

    Raises:
        PocketGemmaError: a layer has a bias or an activation, or the axes of its output are not those of its
            kernel.
    """
    compute_beside_kernel(layers.values())
    for name, layer in layers.items():
        axes = MATRICES[parse_adapter_name(name)[1]].input_axes
        _check_axes(layer, axes)
        layer.__class__ = _decomposed(type(layer))  # type: ignore[arg-type]
        layer.input_axes = axes
        layer.enable_magnitude()


def fix_norms(layers: "Mapping[str, keras.layers.Layer]") -> None:
    """Compute the norms of layers once, for use without training."""
    from keras import ops

    for layer in layers.values():
        layer.fixed_share = ops.convert_to_tensor(layer.share())


def _check_axes(layer: "keras.layers.Layer", input_axes: tuple[int, ...]) -> None:
    """Check that the last axes of the output are the output axes of the kernel, in this order: a magnitude is
    multiplied by them."""
    equation = getattr(layer, "equation", "x,xy->y")
    operands, output = equation.split("->")
    kernel = operands.split(",")[1]
    outputs = "".join(letter for axis, letter in enumerate(kernel) if axis not in input_axes)
    if not output.endswith(outputs):
        raise PocketGemmaError(f"{layer.path}: computes {equation}, whose output does not end in {outputs}")


@cache
def _decomposed(base: Any) -> Any:
    from keras import ops
    from keras.constraints import NonNeg

    class Decomposed(base):  # type: ignore[misc]
        input_axes: tuple[int, ...]
        fixed_share: Any = None

        def enable_magnitude(self) -> None:
            shape = [size for axis, size in enumerate(self._kernel.shape) if axis not in self.input_axes]
            self._tracker.unlock()
            # Adam's steps are as large for a row with a small norm as for one with a large norm.
            self.lora_magnitude = self.add_weight(
                name="lora_magnitude", shape=shape, initializer="zeros", dtype="float32", constraint=NonNeg()
            )
            self._tracker.lock()
            self.lora_magnitude.assign(self._norms())

        def _norms(self) -> Any:
            """||W0 + s A B||, in float32 and without a gradient."""
            a, b = (ops.stop_gradient(each) for each in (self.lora_kernel_a, self.lora_kernel_b))
            directed = ops.cast(self._kernel, "float32") + ops.matmul(a, b) * self.lora_scale
            return ops.sqrt(ops.sum(ops.square(directed), axis=self.input_axes))

        def share(self) -> Any:
            """m / ||V||, of the shape of the magnitude; float32."""
            if self.fixed_share is not None:
                return self.fixed_share
            norms = self._norms()
            return self.lora_magnitude / ops.where(norms > 0, norms, 1.0)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            # In bfloat16, a share near 1 would be rounded to a multiple of 1/128.
            plain = ops.cast(super().call(inputs, training=training), "float32")
            return ops.cast(plain * self.share(), self.compute_dtype)

        @property
        def kernel(self) -> Any:
            # Where KerasHub multiplies by the kernel without calling the layer.
            share = ops.expand_dims(self.share(), self.input_axes)
            return ops.cast(ops.cast(super().kernel, "float32") * share, self.compute_dtype)

    return Decomposed
