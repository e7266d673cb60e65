"""The weight matrices of a .litertlm and their scales, by their offsets in the file: what a graft
overwrites."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite import Graph, Tensor, Tflite, read_tflite

BITS = {"FLOAT32": 32, "FLOAT16": 16, "INT8": 8, "INT4": 4}
"""Bits of a value, for the types that matrices are stored in."""


@dataclass
class WeightMatrix:
    """A constant matrix.

    Attributes:
        shape: (out, in).
        bits: 4, 8, 16 or 32.
        block: how many values of a row share a scale; None: all of them (or, for floats, there is none).
        offset: its first byte in the file.
        size: its bytes.
        scales: the first byte of each copy of its scales: one for every signature that computes with it.
    """

    shape: tuple[int, int]
    bits: int
    block: int | None
    offset: int
    size: int
    scales: set[int] = field(default_factory=set)


def weight_matrices(path: Path) -> list[WeightMatrix]:
    """The weight matrices of a .litertlm file.

    Raises:
        InputError: no usable .litertlm, or a model in it is damaged.
    """
    container = read_container(path)
    container.section(MODEL)
    try:
        return [
            weight
            for section in container.sections
            if section.kind == MODEL
            for weight in _weights(read_tflite(container.view(section), str(path)), section.begin)
        ]
    except ValueError as error:
        raise InputError(f"{path}: the model in it is damaged: {error}; copy or convert it again") from None


def _weights(tflite: Tflite, begin: int) -> Iterator[WeightMatrix]:
    """The matrices of a model that begins at a byte of the file.

    Raises:
        ValueError: two tensors contradict one another.
    """
    found: dict[int, WeightMatrix] = {}
    owners: dict[int, set[int]] = defaultdict(set)
    for graph in tflite.graphs:
        for tensor in graph.tensors:
            bits, buffer = BITS.get(tensor.dtype), tflite.buffers[tensor.buffer]
            if len(tensor.shape) != 2 or bits is None or not buffer.size or buffer.size != tensor.bytes:
                continue
            shape = (tensor.shape[0], tensor.shape[1])
            block, scales = _scales(tflite, graph, tensor) if bits < 16 else (None, None)
            if tensor.buffer not in found:
                found[tensor.buffer] = WeightMatrix(shape, bits, block, begin + buffer.begin, buffer.size)
            weight = found[tensor.buffer]
            if (weight.shape, weight.bits, weight.block) != (shape, bits, block):
                raise ValueError("two tensors read the same bytes in different ways")
            if scales is not None:
                weight.scales.add(begin + scales)
                owners[scales].add(tensor.buffer)
    if any(len(buffers) > 1 for buffers in owners.values()):
        raise ValueError("two matrices share their scales")
    yield from found.values()


def _scales(tflite: Tflite, graph: Graph, tensor: Tensor) -> tuple[int | None, int | None]:
    """Block of a tensor's scales, and the first byte of the scales in the .tflite."""
    scales = tensor.scales
    if scales is None:
        return None, None
    if scales.block is not None and scales.tensor is not None:
        buffer = tflite.buffers[graph.tensors[scales.tensor].buffer]
        if scales.block < 1 or buffer.size != 2 * tensor.shape[0] * (tensor.shape[1] // scales.block):
            raise ValueError("another number of scales than blocks")
        return scales.block, buffer.begin
    # One scale for a whole matrix is none of our schemes.
    return None, scales.begin if scales.count == tensor.shape[0] else None
