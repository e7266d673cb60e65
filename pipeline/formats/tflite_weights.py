"""Where a .tflite inside a .litertlm keeps its weight matrices and their scales, as places in the file.

Read with no TensorFlow package, by the slots of LiteRT's schema (tensorflow/lite/schema/schema.fbs, version 3).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.formats.flatbuffer import Table
from pipeline.formats.litertlm import FLATBUFFER_ERRORS, MODEL, Container, Section, read_container

BITS = {0: 32, 1: 16, 9: 8, 17: 4}
"""The schema's TensorType of FLOAT32, FLOAT16, INT8 and INT4, and how many bits a number of it has."""

BLOCKWISE = 2
"""The schema's QuantizationDetails: scales in a tensor of their own, one for each block of a row."""


@dataclass
class StoredWeight:
    """A constant matrix.

    Attributes:
        shape: (out, in).
        bits: 4, 8, 16 or 32.
        block: how many numbers of a row share a scale; None: all of them (or, for floats, there is none).
        offset: its first byte in the file.
        size: its bytes.
        scales: the first byte of each place that holds its scales: one for every signature that computes with it.
    """

    shape: tuple[int, int]
    bits: int
    block: int | None
    offset: int
    size: int
    scales: set[int] = field(default_factory=set)


def stored_weights(path: Path) -> list[StoredWeight]:
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
            for weight in _read(container, section)
        ]
    except FLATBUFFER_ERRORS:
        raise InputError(f"{path}: the model in it is damaged; copy or convert it again") from None


def _read(container: Container, section: Section) -> Iterator[StoredWeight]:
    data = container.view(section)
    model = Table.root(data)
    buffers = model.tables(4)
    found: dict[int, StoredWeight] = {}
    owners: dict[int, set[int]] = defaultdict(set)
    for graph in model.tables(2):
        tensors = graph.tables(0)
        for tensor in tensors:
            shape, bits, number = tensor.numbers(0), BITS.get(tensor.number(1, "b")), tensor.number(2)
            if len(shape) != 2 or bits is None:
                continue
            offset, size = _content(buffers[number], len(data))
            if not size or size != shape[0] * shape[1] * bits // 8:
                continue
            block, place = _scales(tensor, tensors, buffers, shape, len(data)) if bits < 16 else (None, None)
            if number not in found:
                found[number] = StoredWeight(shape, bits, block, section.begin + offset, size)
            weight = found[number]
            if (weight.shape, weight.bits, weight.block) != (shape, bits, block):
                raise ValueError("two tensors read the same bytes in different ways")
            if place is not None:
                weight.scales.add(section.begin + place)
                owners[place].add(number)
    if any(len(numbers) > 1 for numbers in owners.values()):
        raise ValueError("two matrices share their scales")
    yield from found.values()


def _content(buffer: Table, length: int) -> tuple[int, int]:
    """Where a buffer's bytes lie, and how many there are; those of a large model lie behind the flatbuffer."""
    offset, size = buffer.number(1, "<Q"), buffer.number(2, "<Q")
    if offset <= 1:  # 0: none given; 1: the writer's mark for a place that was never filled in
        offset, size = buffer.vector(0)
    if offset + size > length:
        raise ValueError("a buffer beyond the end")
    return offset, size


def _scales(
    tensor: Table, tensors: list[Table], buffers: list[Table], shape: Any, length: int
) -> tuple[int | None, int | None]:
    """Block and place of a tensor's scales."""
    settings = tensor.table(4)
    if settings is None:
        return None, None
    details = settings.table(5) if settings.number(4, "B") == BLOCKWISE else None
    if details is not None:
        block = details.number(2, "<i")
        place, size = _content(buffers[tensors[details.number(0, "<i")].number(2)], length)
        if block < 1 or size != 2 * shape[0] * (shape[1] // block):
            raise ValueError("another number of scales than blocks")
        return block, place
    place, count = settings.vector(2)
    # One scale for a whole matrix is no recipe of ours.
    return None, place if count == shape[0] else None
