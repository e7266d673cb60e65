"""The constants of a .tflite that a model computes with: how each is stored, and which matrix it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.formats.tensor_names import name_matrices, natural
from pipeline.formats.tflite import DEQUANTIZE, EMBEDDING_LOOKUP, GATHER, Graph, Tensor, Tflite

WEIGHTS = ("INT2", "INT4", "UINT4", "INT8", "UINT8", "FLOAT16", "BFLOAT16", "FLOAT32")
"""Types that matrices are stored in; tables of larger integers are positions and the like."""

SharedBy = Literal["row", "column", "block", "tensor", "none"]
"""Which values of a matrix share a scale."""

Constant = tuple[Literal["buffer", "external"], int]
"""What identifies the bytes of a constant: a buffer by its index, or one outside the file by its number."""


@dataclass(frozen=True)
class Matrix:
    """A constant that the model computes with.

    Attributes:
        name: Hugging Face's name if it follows from the names in the file, else the tensor's own.
        tensor: the name of its tensor in the file.
        shape: as stored; a matrix is (out, in).
        dtype: INT8, INT4, FLOAT16, …
        scales: which values share a scale; none for floats.
        block: with scales "block": how many neighbors in a row share one.
        begin: the first byte of its values, counted from the beginning of the .tflite; None when they lie
            outside it.
        bytes: of its values.
        scale_bytes: of its scales.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    scales: SharedBy
    block: int | None
    begin: int | None
    bytes: int
    scale_bytes: int


@dataclass(frozen=True)
class Total:
    """All matrices of one element type: how many, and their bytes."""

    dtype: str
    matrices: int
    bytes: int
    scale_bytes: int


def read_matrices(tflite: Tflite) -> tuple[Matrix, ...]:
    """Every constant of two dimensions or more that is stored as a weight, once however many signatures share
    it, in order of names."""
    return tuple(sorted(_matrices(tflite), key=lambda each: natural(each.name)))


def total_by_type(matrices: Sequence[Matrix]) -> tuple[Total, ...]:
    """One total for each element type, the largest first."""
    kinds = {matrix.dtype: [each for each in matrices if each.dtype == matrix.dtype] for matrix in matrices}
    totals = [
        Total(dtype, len(found), sum(each.bytes for each in found), sum(each.scale_bytes for each in found))
        for dtype, found in kinds.items()
    ]
    return tuple(sorted(totals, key=lambda total: -total.bytes))


def _matrices(tflite: Tflite) -> Iterator[Matrix]:
    tensors: dict[Constant, list[tuple[Graph, Tensor]]] = defaultdict(list)
    scales: set[Constant | None] = set()
    for graph in tflite.graphs:
        for tensor in graph.tensors:
            constant = _constant(tflite, tensor)
            if constant and tensor.dtype in WEIGHTS and sum(size > 1 for size in tensor.shape) > 1:
                tensors[constant].append((graph, tensor))
            if tensor.scales and tensor.scales.tensor is not None:
                scales.add(_constant(tflite, graph.tensors[tensor.scales.tensor]))
    for constant in [constant for constant in tensors if constant in scales]:
        del tensors[constant]
    outputs, looked_up = _users(tflite)
    names = name_matrices(
        {
            constant: [tensor.name for _, tensor in found] + outputs[constant]
            for constant, found in tensors.items()
        },
        looked_up & set(tensors),
    )
    for constant, found in tensors.items():
        graph, tensor = found[0]
        buffer = tflite.buffers[constant[1]] if constant[0] == "buffer" else None
        shared_by, block, scale_bytes = _scales(graph, tensor)
        yield Matrix(
            name=names.get(constant, tensor.name),
            tensor=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype,
            scales=shared_by,
            block=block,
            begin=buffer.begin if buffer else None,
            bytes=buffer.size if buffer else tensor.bytes,
            scale_bytes=scale_bytes,
        )


def _constant(tflite: Tflite, tensor: Tensor) -> Constant | None:
    """What identifies a constant's bytes; None for a tensor that is computed."""
    if tensor.external_buffer:
        return ("external", tensor.external_buffer)
    return ("buffer", tensor.buffer) if tflite.buffers[tensor.buffer].size else None


def _users(tflite: Tflite) -> tuple[dict[Constant, list[str]], set[Constant]]:
    """Names of the outputs of operations that compute with a constant, and the constants that are read row by
    row.

    In a large model many constants have no name of their own, but the output of a projection is named after
    it. A float16 constant is taken through a DEQUANTIZE.
    """
    names: dict[Constant, list[str]] = defaultdict(list)
    looked_up = set()
    for graph in tflite.graphs:
        dequantized: dict[int, int] = {}
        for operation in graph.operations:
            if operation.code == DEQUANTIZE:
                dequantized[operation.outputs[0]] = operation.inputs[0]
                continue
            for index, number in enumerate(operation.inputs):
                tensor = graph.tensors[dequantized.get(number, number)] if number >= 0 else None
                constant = _constant(tflite, tensor) if tensor else None
                if constant is None or not operation.outputs:
                    continue
                names[constant].append(graph.tensors[operation.outputs[0]].name)
                if (operation.code, index) in ((EMBEDDING_LOOKUP, 1), (GATHER, 0)):
                    looked_up.add(constant)
    return names, looked_up


def _scales(graph: Graph, tensor: Tensor) -> tuple[SharedBy, int | None, int]:
    """Which values share a scale, how long a block is, and the bytes of the scales."""
    scales = tensor.scales
    if scales is None:
        return "none", None, 0
    if scales.tensor is not None:
        return "block", scales.block or None, graph.tensors[scales.tensor].bytes
    if scales.count == 1:
        return "tensor", None, 4
    return ("row" if scales.dimension == 0 else "column"), None, 4 * scales.count
