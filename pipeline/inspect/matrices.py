"""Reading the constants of a .tflite that a model computes with: how each is stored, and which matrix it is."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from pipeline.inspect.facts import Matrix
from pipeline.inspect.names import name_matrices

BITS = {
    "INT2": 2,
    "INT4": 4,
    "UINT4": 4,
    "INT8": 8,
    "UINT8": 8,
    "INT16": 16,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT32": 32,
    "FLOAT32": 32,
    "INT64": 64,
    "FLOAT64": 64,
}
"""Bits of an element, by the schema's names."""

WEIGHTS = ("INT2", "INT4", "UINT4", "INT8", "UINT8", "FLOAT16", "BFLOAT16", "FLOAT32")
"""Types that matrices are stored in; tables of larger integers are positions and the like."""

BLOCKWISE = 2
"""QuantizationDetails.BlockwiseQuantization of the schema."""

Place = tuple[Literal["buffer", "outside"], int]
"""What identifies the bytes of a constant: a buffer by its number, or one that lies outside the file."""


def read_matrices(schema: Any, document: Any, graphs: list[Any], data: memoryview) -> Iterator[Matrix]:
    """Every constant of two dimensions or more that is stored as a weight, once however many signatures share it.

    Args:
        schema: the generated classes of TensorFlow Lite's schema.
        document: the model.
        graphs: its graphs.
        data: its bytes.

    Raises:
        EOFError: one lies behind the end of the file.
        ValueError, …: a damaged flatbuffer.
    """
    types = type_names(schema)
    tensors: dict[Place, list[tuple[Any, Any]]] = defaultdict(list)
    scale_places: set[Place | None] = set()
    for graph in graphs:
        for index in indices(graph.TensorsLength(), data):
            tensor = graph.Tensors(index)
            shape, place = shape_of(tensor), _place(document, tensor)
            if place and types.get(tensor.Type()) in WEIGHTS and sum(length > 1 for length in shape) > 1:
                tensors[place].append((graph, tensor))
                scales = _block_scales(schema, graph, tensor)
                scale_places.add(_place(document, scales[0]) if scales else None)
    for place in scale_places - {None}:
        tensors.pop(place, None)  # type: ignore[arg-type]
    given, tables = _given(schema, document, graphs, data)
    names = name_matrices(
        {
            place: [each.Name().decode() for _, each in found] + given[place]
            for place, found in tensors.items()
        },
        tables & set(tensors),
    )
    for place, found in tensors.items():
        graph, tensor = found[0]
        own, dtype = tensor.Name().decode(), types[tensor.Type()]
        begin, size = _stored(document, tensor, data, own)
        scales_of, block, scale_bytes = _scales(schema, graph, tensor)
        yield Matrix(
            name=names.get(place, own),
            tensor=own,
            shape=shape_of(tensor),
            dtype=dtype,
            scales=scales_of,
            block=block,
            begin=begin,
            bytes=size or bytes_of(shape_of(tensor), dtype),
            scale_bytes=scale_bytes,
        )


def bytes_of(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of a tensor; 0 for a type without a fixed size."""
    return -(-int(np.prod(shape, dtype=object)) * BITS.get(dtype, 0) // 8)


def type_names(schema: Any) -> dict[int, str]:
    """The schema's names of element types by their numbers."""
    return {value: key for key, value in vars(schema.TensorType).items() if isinstance(value, int)}


def shape_of(tensor: Any) -> tuple[int, ...]:
    """A tensor's shape."""
    return tuple(int(length) for length in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()


def indices(count: int, data: memoryview) -> range:
    """Indices of a flatbuffer vector.

    Raises:
        ValueError: it would be longer than the file: the length is damaged.
    """
    if count * 4 > len(data):
        raise ValueError("a vector longer than its file")
    return range(count)


def _place(document: Any, tensor: Any) -> Place | None:
    """Where a constant's bytes are; None for a tensor that is computed."""
    if tensor.ExternalBuffer():
        return ("outside", tensor.ExternalBuffer())
    buffer = document.Buffers(tensor.Buffer())
    # A buffer of a large model lies behind the flatbuffer: then it has an offset and a size, and no data.
    return ("buffer", tensor.Buffer()) if buffer.DataLength() or buffer.Size() else None


def _stored(document: Any, tensor: Any, data: memoryview, name: str) -> tuple[int | None, int]:
    """Where a constant's values begin, and how many bytes they are; None and 0 when they lie outside the file.

    Raises:
        EOFError: behind the end of the file.
    """
    if tensor.ExternalBuffer():
        return None, 0
    buffer = document.Buffers(tensor.Buffer())
    if buffer.DataLength():
        values = buffer.DataAsNumpy()
        return int(values.ctypes.data - np.frombuffer(data, np.uint8).ctypes.data), int(buffer.DataLength())
    if buffer.Offset() + buffer.Size() > len(data):
        raise EOFError(f"{name} should end at byte {buffer.Offset() + buffer.Size()}, it has {len(data)}")
    return int(buffer.Offset()), int(buffer.Size())


def _given(
    schema: Any, document: Any, graphs: list[Any], data: memoryview
) -> tuple[dict[Place, list[str]], set[Place]]:
    """Names of what operations give that compute with a constant, and the constants that are read row by row.

    In a large model many constants have no name of their own, but what a projection gives is named after it. A float16 constant is taken
    through a DEQUANTIZE.
    """
    operators = schema.BuiltinOperator
    codes = [
        max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        for code in (document.OperatorCodes(index) for index in indices(document.OperatorCodesLength(), data))
    ]
    names: dict[Place, list[str]] = defaultdict(list)
    tables = set()
    for graph in graphs:
        dequantized = {}
        for number in indices(graph.OperatorsLength(), data):
            operator = graph.Operators(number)
            code = codes[operator.OpcodeIndex()]
            taken = [operator.Inputs(index) for index in indices(operator.InputsLength(), data)]
            if code == operators.DEQUANTIZE:
                dequantized[operator.Outputs(0)] = taken[0]
                continue
            for index, tensor in enumerate(taken):
                # An input that is left out is -1.
                place = (
                    _place(document, graph.Tensors(dequantized.get(tensor, tensor))) if tensor >= 0 else None
                )
                if place is None:
                    continue
                names[place].append(graph.Tensors(operator.Outputs(0)).Name().decode())
                if (code, index) in ((operators.EMBEDDING_LOOKUP, 1), (operators.GATHER, 0)):
                    tables.add(place)
    return names, tables


def _scales(
    schema: Any, graph: Any, tensor: Any
) -> tuple[Literal["row", "column", "block", "tensor", "none"], int | None, int]:
    """What shares a scale, how long a block is, and the bytes of the scales."""
    blocks = _block_scales(schema, graph, tensor)
    if blocks:
        scales, length = blocks
        return "block", length or None, bytes_of(shape_of(scales), type_names(schema)[scales.Type()])
    settings = tensor.Quantization()
    count = settings.ScaleLength() if settings else 0
    if count < 2:
        return ("tensor" if count else "none"), None, 4 * count
    return ("row" if settings.QuantizedDimension() == 0 else "column"), None, 4 * count


def _block_scales(schema: Any, graph: Any, tensor: Any) -> tuple[Any, int] | None:
    """The tensor with the scales of blocks and the length of a block; None when scales are no tensor of their own."""
    settings = tensor.Quantization()
    if settings is None or settings.DetailsType() != BLOCKWISE:
        return None
    details, union = schema.BlockwiseQuantization(), settings.Details()
    details.Init(union.Bytes, union.Pos)
    return graph.Tensors(details.Scales()), details.BlockSize()
