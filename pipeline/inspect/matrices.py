"""The constants of a .tflite that a model computes with: how each is stored, and which matrix it is."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from pipeline.formats.tflite import DEQUANTIZE, EMBEDDING_LOOKUP, GATHER, Document, Graph, Tensor
from pipeline.inspect.facts import Matrix
from pipeline.inspect.names import name_matrices

WEIGHTS = ("INT2", "INT4", "UINT4", "INT8", "UINT8", "FLOAT16", "BFLOAT16", "FLOAT32")
"""Types that matrices are stored in; tables of larger integers are positions and the like."""

Place = tuple[Literal["buffer", "outside"], int]
"""What identifies the bytes of a constant: a buffer by its number, or one that lies outside the file."""


def read_matrices(document: Document, length: int) -> Iterator[Matrix]:
    """Every constant of two dimensions or more that is stored as a weight, once however many signatures share it.

    Args:
        document: the model.
        length: of its file, in bytes.

    Raises:
        EOFError: one lies behind the end of the file.
        IndexError: a tensor or buffer that is not there.
    """
    tensors: dict[Place, list[tuple[Graph, Tensor]]] = defaultdict(list)
    scales: set[Place | None] = set()
    for graph in document.graphs:
        for tensor in graph.tensors:
            place = _place(document, tensor)
            if place and tensor.dtype in WEIGHTS and sum(size > 1 for size in tensor.shape) > 1:
                tensors[place].append((graph, tensor))
            if tensor.scales and tensor.scales.tensor is not None:
                scales.add(_place(document, graph.tensors[tensor.scales.tensor]))
    for place in [place for place in tensors if place in scales]:
        del tensors[place]
    given, tables = _given(document)
    names = name_matrices(
        {place: [tensor.name for _, tensor in found] + given[place] for place, found in tensors.items()},
        tables & set(tensors),
    )
    for place, found in tensors.items():
        graph, tensor = found[0]
        begin, size = (None, 0) if place[0] == "outside" else document.buffers[place[1]]
        if begin is not None and begin + size > length:
            raise EOFError(f"{tensor.name} should end at byte {begin + size}, it has {length}")
        kind, block, scale_bytes = _scales(graph, tensor)
        yield Matrix(
            name=names.get(place, tensor.name),
            tensor=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype,
            scales=kind,
            block=block,
            begin=begin,
            bytes=size or tensor.bytes,
            scale_bytes=scale_bytes,
        )


def _place(document: Document, tensor: Tensor) -> Place | None:
    """Where a constant's bytes are; None for a tensor that is computed."""
    if tensor.outside:
        return ("outside", tensor.outside)
    return ("buffer", tensor.buffer) if document.buffers[tensor.buffer][1] else None


def _given(document: Document) -> tuple[dict[Place, list[str]], set[Place]]:
    """Names of what operations give that compute with a constant, and the constants that are read row by row.

    In a large model many constants have no name of their own, but what a projection gives is named after it. A float16 constant is taken
    through a DEQUANTIZE.
    """
    names: dict[Place, list[str]] = defaultdict(list)
    tables = set()
    for graph in document.graphs:
        dequantized: dict[int, int] = {}
        for operation in graph.operations:
            if operation.code == DEQUANTIZE:
                dequantized[operation.outputs[0]] = operation.inputs[0]
                continue
            for index, number in enumerate(operation.inputs):
                tensor = graph.tensors[dequantized.get(number, number)] if number >= 0 else None
                place = _place(document, tensor) if tensor else None
                if place is None or not operation.outputs:
                    continue
                names[place].append(graph.tensors[operation.outputs[0]].name)
                if (operation.code, index) in ((EMBEDDING_LOOKUP, 1), (GATHER, 0)):
                    tables.add(place)
    return names, tables


def _scales(
    graph: Graph, tensor: Tensor
) -> tuple[Literal["row", "column", "block", "tensor", "none"], int | None, int]:
    """What shares a scale, how long a block is, and the bytes of the scales."""
    scales = tensor.scales
    if scales is None:
        return "none", None, 0
    if scales.tensor is not None:
        return "block", scales.block or None, graph.tensors[scales.tensor].bytes
    if scales.count == 1:
        return "tensor", None, 4
    return ("row" if scales.dimension == 0 else "column"), None, 4 * scales.count
