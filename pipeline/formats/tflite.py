"""A .tflite as plain data: its graphs, tensors, operations, buffers and signatures, read with nothing but the standard library.

Slots and numbers are those of TensorFlow Lite's schema (schema.fbs, version 3).
"""

from dataclasses import dataclass
from math import prod

from pipeline.formats.flatbuffer import Table

OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS, METADATA, SIGNATURES = 1, 2, 3, 4, 6, 7
"""Slots of a Model."""

DEQUANTIZE, EMBEDDING_LOOKUP, GATHER = 6, 7, 36
"""Of BuiltinOperator."""

BLOCKWISE = 2
"""Of QuantizationDetails."""

TYPES = [
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "UINT8",
    "INT64",
    "STRING",
    "BOOL",
    "INT16",
    "COMPLEX64",
    "INT8",
    "FLOAT64",
    "COMPLEX128",
    "UINT64",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT16",
    "INT4",
    "BFLOAT16",
    "INT2",
    "UINT4",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
]
"""TensorType, by number."""

BITS = {
    "INT2": 2,
    "INT4": 4,
    "UINT4": 4,
    "BOOL": 8,
    "INT8": 8,
    "UINT8": 8,
    "FLOAT8_E4M3FN": 8,
    "FLOAT8_E5M2": 8,
    "INT16": 16,
    "UINT16": 16,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT32": 32,
    "UINT32": 32,
    "FLOAT32": 32,
    "INT64": 64,
    "UINT64": 64,
    "FLOAT64": 64,
}
"""Bits of an element."""


@dataclass(frozen=True)
class Scales:
    """How a tensor is quantised: `count` scales along a dimension, or those of blocks of a length in another tensor."""

    count: int
    dimension: int
    block: int | None = None
    tensor: int | None = None


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph; `buffer` 0 and `outside` 0 for one that is computed."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: int
    outside: int
    scales: Scales | None

    @property
    def bytes(self) -> int:
        """Of its values; 0 for a type without a fixed size."""
        return bytes_of(self.shape, self.dtype)


@dataclass(frozen=True)
class Operation:
    """A step of a graph; tensors by number, -1 for an input that is left out."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A graph; inputs and outputs by number of tensor."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """A graph that the runtime can call: (name, number of tensor) of inputs and outputs."""

    name: str
    graph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Document:
    """A whole .tflite.

    Attributes:
        buffers: (begin, size) in the file, in bytes; size 0 for those of tensors that are computed.
        metadata: numbers of buffers by name.
    """

    graphs: tuple[Graph, ...]
    buffers: tuple[tuple[int, int], ...]
    signatures: tuple[Signature, ...]
    metadata: dict[str, int]


def read_document(data: memoryview) -> Document:
    """Read a .tflite.

    Raises:
        flatbuffer.ERRORS: it is damaged.
    """
    model = Table.root(data)
    codes = [max(code.number(3, "<i"), code.number(0, "<b")) for code in model.tables(OPERATOR_CODES)]
    return Document(
        graphs=tuple(_graph(graph, codes) for graph in model.tables(SUBGRAPHS)),
        buffers=tuple(_buffer(buffer) for buffer in model.tables(BUFFERS)),
        signatures=tuple(
            Signature(each.string(2) or "", each.number(4), _maps(each, 0), _maps(each, 1))
            for each in model.tables(SIGNATURES)
        ),
        metadata={entry.string(0) or "": entry.number(1) for entry in model.tables(METADATA)},
    )


def bytes_of(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of so many elements of a type; 0 for a type without a fixed size."""
    return -(-prod(shape) * BITS.get(dtype, 0) // 8)


def _graph(graph: Table, codes: list[int]) -> Graph:
    return Graph(
        tensors=tuple(_tensor(tensor) for tensor in graph.tables(0)),
        operations=tuple(
            Operation(codes[each.number(0)], each.numbers(1), each.numbers(2)) for each in graph.tables(3)
        ),
        inputs=graph.numbers(1),
        outputs=graph.numbers(2),
    )


def _tensor(tensor: Table) -> Tensor:
    number = tensor.number(1, "<b")
    return Tensor(
        name=tensor.string(3) or "",
        shape=tensor.numbers(0),
        dtype=TYPES[number] if 0 <= number < len(TYPES) else f"type {number}",
        buffer=tensor.number(2),
        outside=tensor.number(10),
        scales=_scales(tensor.table(4)),
    )


def _scales(settings: Table | None) -> Scales | None:
    if settings is None:
        return None
    details = settings.table(5)
    if settings.number(4, "<B") == BLOCKWISE and details is not None:
        return Scales(0, 0, details.number(2, "<i"), details.number(0, "<i"))
    count = settings.vector(2)[1]
    return Scales(count, settings.number(6, "<i")) if count else None


def _buffer(buffer: Table) -> tuple[int, int]:
    begin, size = buffer.vector(0)
    # A buffer of a large model lies behind the flatbuffer: then it has an offset and a size, and no data.
    return (begin, size) if size else (buffer.number(1, "<Q"), buffer.number(2, "<Q"))


def _maps(signature: Table, slot: int) -> tuple[tuple[str, int], ...]:
    return tuple((each.string(0) or "", each.number(1)) for each in signature.tables(slot))
