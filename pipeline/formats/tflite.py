"""The .tflite format: everything that a file declares, read once into plain values; the values of its tensors
are not read.

Field numbers and enumerations are those of TensorFlow Lite's schema (tensorflow/lite/schema/schema.fbs,
version 3). This is the only module that knows them for reading. All other modules take what `read_tflite`
returns.
"""

from dataclasses import dataclass

from pipeline.errors import InputError
from pipeline.formats.flatbuffer import ERRORS, Table
from pipeline.formats.tflite_types import TYPES, bytes_of

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every .tflite file."""

SCHEMA_VERSION = 3

DEQUANTIZE, EMBEDDING_LOOKUP, GATHER = 6, 7, 36
"""Numbers of operators that are looked for by their kind (BuiltinOperator)."""

# Slots of the fields that are read, by table of the schema.
_VERSION, _OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _METADATA, _SIGNATURES = 0, 1, 2, 4, 6, 7  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _EXTERNAL_BUFFER = 0, 1, 2, 3, 4, 10  # Tensor
_SCALE, _DETAILS_TYPE, _DETAILS, _DIMENSION = 2, 4, 5, 6  # QuantizationParameters
_SCALES_TENSOR, _BLOCK_SIZE = 0, 2  # BlockwiseQuantization
_DEPRECATED_CODE, _CODE = 0, 3  # OperatorCode
_CODE_INDEX, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2  # Operator
_DATA, _OFFSET, _SIZE = 0, 1, 2  # Buffer
_SIGNATURE_INPUTS, _SIGNATURE_OUTPUTS, _SIGNATURE_KEY, _SUBGRAPH_INDEX = 0, 1, 2, 4  # SignatureDef
_MAP_NAME, _TENSOR_INDEX = 0, 1  # TensorMap
_METADATA_NAME, _METADATA_BUFFER = 0, 1  # Metadata

_BLOCKWISE = 2
"""The type of quantization details (QuantizationDetails) with one scale for each block of a row."""


@dataclass(frozen=True)
class Buffer:
    """Bytes in the file; size 0 for those of tensors that are computed.

    Attributes:
        begin: the first byte, counted from the beginning of the .tflite.
        size: in bytes.
    """

    begin: int
    size: int

    @property
    def end(self) -> int:
        """The byte after the last one."""
        return self.begin + self.size


@dataclass(frozen=True)
class Scales:
    """How a tensor is quantized: by float32 scales along a dimension, or by the scales of blocks, which are a
    tensor of their own.

    Attributes:
        count: how many scales along the dimension; 0 for blocks.
        dimension: the dimension that has one scale for each entry.
        begin: the first byte of those scales, counted from the beginning of the .tflite; 0 for blocks.
        block: for blocks: how many neighbors in a row share a scale; else None.
        tensor: for blocks: index of the tensor with the scales, in the same graph; else None.
    """

    count: int
    dimension: int
    begin: int
    block: int | None = None
    tensor: int | None = None


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph.

    Attributes:
        name: of the tensor.
        shape: of the tensor.
        dtype: the schema's name of the element type, such as FLOAT32.
        buffer: index of its buffer, which is empty for a tensor that is computed.
        external_buffer: number of a buffer outside the file; 0 for none.
        scales: how it is quantized; None for floats.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: int
    external_buffer: int
    scales: Scales | None

    @property
    def bytes(self) -> int:
        """Bytes of its values; 0 for a type without a fixed size."""
        return bytes_of(self.shape, self.dtype)


@dataclass(frozen=True)
class Operation:
    """An operation of a graph: its kind (BuiltinOperator), and its tensors by index; -1 is an input that is
    left out."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A graph; inputs and outputs by index of the tensor."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """A function that the runtime can call: its name, the graph's index, and inputs and outputs as (name,
    index of the tensor)."""

    name: str
    graph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Tflite:
    """What a .tflite file declares. All indices and byte ranges in it were checked.

    Attributes:
        bytes: size of the file.
        graphs: the graphs.
        buffers: the buffers.
        signatures: the functions that the runtime can call.
        metadata: index of the buffer of each metadata entry, as it is written: it may be another number than
            that of a buffer.
    """

    bytes: int
    graphs: tuple[Graph, ...]
    buffers: tuple[Buffer, ...]
    signatures: tuple[Signature, ...]
    metadata: dict[str, int]

    def inputs(self, signature: Signature) -> dict[str, Tensor]:
        """The input tensors of a signature by name."""
        tensors = self.graphs[signature.graph].tensors
        return {name: tensors[index] for name, index in signature.inputs}

    def outputs(self, signature: Signature) -> dict[str, Tensor]:
        """The output tensors of a signature by name."""
        tensors = self.graphs[signature.graph].tensors
        return {name: tensors[index] for name, index in signature.outputs}


def read_tflite(data: memoryview | bytes, where: str) -> Tflite:
    """Read what a .tflite file declares.

    Args:
        data: the file's bytes, mapped or in memory.
        where: what to call the file in an error.

    Raises:
        InputError: not a .tflite, damaged or truncated.
    """
    if data[4:8] != IDENTIFIER:
        raise InputError(
            f"{where}: not a .tflite model: bytes 4 to 8 are {bytes(data[4:8])!r}, expected {IDENTIFIER!r}"
        )
    try:
        found = _read(data)
        _check_indices(found)
    except ERRORS:
        raise InputError(f"{where}: damaged .tflite model; copy or convert it again") from None
    for index, buffer in enumerate(found.buffers):
        if buffer.end > found.bytes:
            raise InputError(
                f"{where}: truncated: buffer {index} should end at byte {buffer.end:,}, the model has "
                f"{found.bytes:,} bytes; "
                "copy or convert it again"
            )
    return found


def _read(data: memoryview | bytes) -> Tflite:
    model = Table.root(data)
    if model.number(_VERSION) != SCHEMA_VERSION:
        raise ValueError("another version of the schema")
    codes = [
        # Codes beyond 127 do not fit the older field, which is a byte.
        max(code.number(_CODE, "<i"), code.number(_DEPRECATED_CODE, "<b"))
        for code in model.tables(_OPERATOR_CODES)
    ]
    return Tflite(
        bytes=len(data),
        graphs=tuple(_graph(graph, codes) for graph in model.tables(_SUBGRAPHS)),
        buffers=tuple(_buffer(buffer) for buffer in model.tables(_BUFFERS)),
        signatures=tuple(
            Signature(
                each.string(_SIGNATURE_KEY) or "",
                each.number(_SUBGRAPH_INDEX),
                _maps(each, _SIGNATURE_INPUTS),
                _maps(each, _SIGNATURE_OUTPUTS),
            )
            for each in model.tables(_SIGNATURES)
        ),
        metadata={
            entry.string(_METADATA_NAME) or "": entry.number(_METADATA_BUFFER)
            for entry in model.tables(_METADATA)
        },
    )


def _graph(graph: Table, codes: list[int]) -> Graph:
    return Graph(
        tensors=tuple(_tensor(tensor) for tensor in graph.tables(_TENSORS)),
        operations=tuple(
            Operation(
                codes[each.number(_CODE_INDEX)],
                each.numbers(_OPERATOR_INPUTS),
                each.numbers(_OPERATOR_OUTPUTS),
            )
            for each in graph.tables(_OPERATORS)
        ),
        inputs=graph.numbers(_INPUTS),
        outputs=graph.numbers(_OUTPUTS),
    )


def _tensor(tensor: Table) -> Tensor:
    number = tensor.number(_TYPE, "<b")
    return Tensor(
        name=tensor.string(_NAME) or "",
        shape=tensor.numbers(_SHAPE),
        dtype=TYPES[number] if 0 <= number < len(TYPES) else f"type {number}",
        buffer=tensor.number(_BUFFER),
        external_buffer=tensor.number(_EXTERNAL_BUFFER),
        scales=_scales(tensor.table(_QUANTIZATION)),
    )


def _scales(settings: Table | None) -> Scales | None:
    if settings is None:
        return None
    details = settings.table(_DETAILS)
    if settings.number(_DETAILS_TYPE, "<B") == _BLOCKWISE and details is not None:
        return Scales(0, 0, 0, details.number(_BLOCK_SIZE, "<i"), details.number(_SCALES_TENSOR, "<i"))
    begin, count = settings.vector(_SCALE)
    return Scales(count, settings.number(_DIMENSION, "<i"), begin) if count else None


def _buffer(buffer: Table) -> Buffer:
    # The bytes of a large model lie behind the flatbuffer: then a buffer has an offset and a size, and no
    # data. An offset of 1 is the writer's mark for one that was never filled in.
    offset = buffer.number(_OFFSET, "<Q")
    return Buffer(offset, buffer.number(_SIZE, "<Q")) if offset > 1 else Buffer(*buffer.vector(_DATA))


def _maps(signature: Table, slot: int) -> tuple[tuple[str, int], ...]:
    return tuple(
        (each.string(_MAP_NAME) or "", each.number(_TENSOR_INDEX)) for each in signature.tables(slot)
    )


def _check_indices(tflite: Tflite) -> None:
    """Whether everything that is referred to by index is there.

    Raises:
        IndexError: something is not.
    """
    for graph in tflite.graphs:
        tensors = len(graph.tensors)
        indices = [*graph.inputs, *graph.outputs]
        indices += [index for each in graph.operations for index in each.outputs]
        indices += [index for each in graph.operations for index in each.inputs if index != -1]
        indices += [
            each.scales.tensor for each in graph.tensors if each.scales and each.scales.tensor is not None
        ]
        if indices and not 0 <= min(indices) <= max(indices) < tensors:
            raise IndexError("a tensor that is not there")
        if max((each.buffer for each in graph.tensors), default=-1) >= len(tflite.buffers):
            raise IndexError("a buffer that is not there")
    for signature in tflite.signatures:
        tensors = len(tflite.graphs[signature.graph].tensors)
        if any(index >= tensors for _, index in (*signature.inputs, *signature.outputs)):
            raise IndexError("a tensor that is not there")
