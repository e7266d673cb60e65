"""LoRA on a frozen matrix as one operation in PyTorch: W x + s (x A) B.

As separate operations, the sum is written once more than necessary, and einsum copies a kernel with several
heads and keeps the copy for the gradient. Here, the second product is added to the first in place, and
besides the matrices themselves, only the input and x A are kept for the gradient.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.tuning.matrix_products import product

if TYPE_CHECKING:
    import keras


def fused_lora(layer: "keras.layers.Layer", inputs: Any) -> Any:
    """W x + s (x A) B of a layer with LoRA enabled and a frozen kernel, on PyTorch.

    Args:
        layer: Dense, or EinsumDense with a kernel of heads.
        inputs: in the layer's compute dtype.

    Returns:
        The output; None if the layer's equation is of another form.
    """
    axes = _axes(getattr(layer, "equation", None))
    if axes is None:
        return None
    from keras import ops

    kernel, a, b = (
        ops.cast(each, layer.compute_dtype)
        for each in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
    )
    summed, heads = axes
    lead, width = inputs.shape[: inputs.ndim - summed], inputs.shape[inputs.ndim - summed :].numel()
    if not heads:
        kernel, a = (each.reshape(1, width, -1) for each in (kernel, a))
    found = _function().apply(inputs.reshape(-1, width), kernel, a, b, layer.lora_scale)
    return found.reshape(*lead, *((kernel.shape[0],) if heads else ()), kernel.shape[-1])


@cache
def _axes(equation: str | None) -> tuple[int, bool] | None:
    """Over how many of the last axes of the inputs a layer sums, and whether its outputs have heads; None:
    neither inputs nor outputs end as those of a Dense layer or of one with heads."""
    if equation is None:
        return 1, False
    inputs, rest = equation.split(",")
    kernel, outputs = rest.split("->")
    lead = inputs[:2]
    forms = {
        (lead + kernel[:1], lead + kernel[1:]): (2, (1, False)),
        (lead + kernel[1:2], lead + kernel[:1] + kernel[2:]): (3, (1, True)),
        (lead + kernel[:2], lead + kernel[2:]): (3, (2, False)),
    }
    dimensions, found = forms.get((inputs, outputs), (0, None))
    return found if dimensions == len(kernel) else None


@cache
def _function() -> Any:
    import torch

    class Product(torch.autograd.Function):  # type: ignore[misc]
        """rows (n, in), kernel (heads, in, out), a (heads, in, rank), b (rank, out): (n, heads, out).

        The scale is not an argument of addmm, which refuses numbers beyond float32.
        """

        @staticmethod
        def forward(context: Any, rows: Any, kernel: Any, a: Any, b: Any, scale: float) -> Any:
            heads, _, width = kernel.shape
            found = product(rows, _side_by_side(kernel)).contiguous()
            inner = product(rows, _side_by_side(a)).mul_(scale)
            found.view(-1, width).addmm_(inner.view(-1, len(b)), b)
            context.save_for_backward(rows, kernel, a, b, inner)
            context.scale = scale
            return found.view(-1, heads, width)

        @staticmethod
        def backward(context: Any, slope: Any) -> Any:
            rows, kernel, a, b, inner = context.saved_tensors
            slope = slope.contiguous()
            flat = slope.view(-1, len(b[0]))
            of_b = product(inner.view(-1, len(b)).t(), flat)
            of_inner = product(flat, b.t()).mul_(context.scale).view(inner.shape)
            heads, inputs, rank = a.shape
            of_a = product(rows.t(), of_inner).view(inputs, heads, rank).transpose(0, 1)
            of_rows = None
            if context.needs_input_grad[0]:
                of_rows = product(slope.view(len(rows), -1), _side_by_side(kernel).t())
                of_rows.addmm_(of_inner, _side_by_side(a).t())
            return of_rows, None, of_a, of_b, None

    return Product


def _side_by_side(matrices: Any) -> Any:
    """(heads, in, out) as (in, heads * out): a view of a single head, otherwise a copy for one product."""
    heads, inputs, outputs = matrices.shape
    return matrices.transpose(0, 1).reshape(inputs, heads * outputs)
