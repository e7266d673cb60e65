"""LoRA on a base whose frozen matrices are stored as integers (QLoRA: Dettmers et al. 2023,
arXiv:2305.14314, section 3; with integers in place of NF4).

Keras has a `quantize` for this. In Keras 3.15 on PyTorch, the gradient of a layer with int8 weights and float
activations fails, and LoRA beside such a layer does not compute in bfloat16.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape, MatrixKind
from pipeline.families.names import MATRICES, matrix_shapes
from pipeline.gemma.causal_lm import matrix_layers
from pipeline.quantization.rounding import nearest
from pipeline.tuning.lora_forward import lora_term

if TYPE_CHECKING:
    import keras
    import keras_hub

BaseType = Literal["int8", "int4"]

BITS: dict[BaseType, int] = {"int8": 8, "int4": 4}

INT4_BLOCK = 32
"""Values of an int4 matrix that share a scale. The widths of all Gemmas are multiples of it."""


def check_base(shape: GemmaShape, kind: BaseType) -> None:
    """Check, before anything is loaded, that `quantize_base` can store the matrices of a model.

    Raises:
        InputError: its family does not call its layers, or a matrix does not consist of whole blocks.
    """
    if not shape.family.calls_layers:
        raise InputError(
            f"finetune.quantize_base: KerasHub multiplies by the kernels of {shape.family.name} without "
            "calling their layers, so they cannot be stored as integers; remove the key"
        )
    for name, (_, columns) in matrix_shapes(shape).items():
        if kind == "int4" and columns % INT4_BLOCK:
            raise InputError(
                f"finetune.quantize_base: {name} has {columns} inputs, not a multiple of {INT4_BLOCK}; set "
                "it to int8"
            )


def quantize_base(backbone: "keras_hub.models.Backbone", kind: BaseType) -> None:
    """Store the matrices of all decoder layers as integers and scales, and compute with the values that these
    stand for. The embedding and the norms stay as they are.

    Args:
        backbone: with LoRA enabled on some or all of the matrices.
        kind: int8, with a scale for each output, or int4, with one for each INT4_BLOCK inputs of an output.
    """
    for target, matrix_kind in MATRICES.items():
        for _, layer in matrix_layers(backbone, target):
            _forget_kernel(backbone, layer)
            _store_as_integers(layer, matrix_kind, BITS[kind])


def _forget_kernel(backbone: "keras_hub.models.Backbone", layer: "keras.layers.Layer") -> None:
    """On PyTorch, a Keras layer also holds the tensors of all layers in it, so it would keep a kernel."""
    for holder in (backbone, *backbone._flatten_layers()):
        tensors = getattr(holder, "_torch_params", {})
        if layer._kernel.path in tensors:
            tensors.pop(layer._kernel.path)


def _store_as_integers(layer: "keras.layers.Layer", kind: MatrixKind, bits: int) -> None:
    from keras import ops

    values = np.asarray(ops.convert_to_numpy(ops.cast(layer._kernel, "float32")))
    matrix: NDArray[np.float32] = np.ascontiguousarray(kind.as_matrix(values))
    stored = nearest(matrix, bits, INT4_BLOCK if bits == 4 else None)
    layer._untrack_variable(layer._kernel)
    # Keras locks the variables of a layer once it is built.
    layer._tracker.unlock()
    layer._kernel = None  # `del` would collect garbage, which takes half a second for each layer
    for name, content in (
        ("integers", stored.packed().view(np.int8).reshape(len(matrix), -1)),
        ("integer_scales", stored.scales),
    ):
        variable = layer.add_weight(
            name=name, shape=content.shape, dtype=str(content.dtype), initializer="zeros", trainable=False
        )
        variable.assign(content)
        setattr(layer, name, variable)
    layer._tracker.lock()
    layer.columns, layer.bits = matrix.shape[1], bits
    layer.output_sizes = _output_sizes(kind, values.shape)
    layer.__class__ = _stored_as_integers(type(layer))  # type: ignore[arg-type]


def _output_sizes(kind: MatrixKind, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that a layer's kernel of this shape adds to an output."""
    inputs = {axis % len(shape) for axis in kind.input_axes}
    return tuple(size for axis, size in enumerate(shape) if axis not in inputs)


@cache
def _stored_as_integers(base: Any) -> Any:
    from keras import ops

    class StoredAsIntegers(base):  # type: ignore[misc]
        @property
        def kernel(self) -> Any:
            """There is none for code that does not call the layer."""
            raise PocketGemmaError(f"{self.path}: its kernel is stored as integers; report this as a bug")

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            axes = ops.shape(inputs)[: len(inputs.shape) - self._input_axes()]
            rows = ops.reshape(inputs, (-1, self.columns))
            product = _product(rows, self.integers, self.integer_scales, self.bits)
            plain = ops.reshape(product, (*axes, *self.output_sizes))
            return plain + lora_term(self, inputs) if self.lora_enabled else plain

        def _input_axes(self) -> int:
            """How many axes of the inputs the product sums over."""
            equation = getattr(self, "equation", None)
            if equation is None:
                return 1
            inputs, rest = equation.split(",")
            return len(set(inputs) - set(rest.split("->")[1]))

    return StoredAsIntegers


def _product(rows: Any, integers: Any, scales: Any, bits: int) -> Any:
    """rows (n, in) times the transpose of a stored matrix (out, in): (n, out).

    Only the integers are kept for the gradient; the matrix is dequantized a second time.
    """
    from keras import ops

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def product(rows: Any, integers: Any, scales: Any) -> Any:
        def gradient(*arguments: Any, upstream: Any = None) -> Any:
            # PyTorch passes it by name, behind the tensors that are kept; the others pass nothing else.
            if upstream is None:
                (upstream,) = arguments
            return ops.matmul(upstream, dequantized(integers, scales, bits, upstream.dtype)), None, None

        matrix = dequantized(integers, scales, bits, rows.dtype)
        return ops.matmul(rows, ops.transpose(matrix)), gradient

    return product(rows, ops.convert_to_tensor(integers), ops.convert_to_tensor(scales))


def dequantized(integers: Any, scales: Any, bits: int, dtype: Any) -> Any:
    """The matrix that integers stand for.

    Args:
        integers: int8, (out, in), or (out, in / 2) with two 4-bit values each, the first in the low bits.
        scales: float32, (out, blocks).
        bits: 8 or 4.
        dtype: of the result.

    Returns:
        (out, in).
    """
    from keras import ops

    rows, blocks = scales.shape
    if bits == 4:
        low = ops.right_shift(ops.left_shift(integers, 4), 4)
        integers = ops.stack([low, ops.right_shift(integers, 4)], axis=-1)
    values = ops.cast(ops.reshape(integers, (rows, blocks, -1)), "float32") * scales[:, :, None]
    return ops.cast(ops.reshape(values, (rows, -1)), dtype)
