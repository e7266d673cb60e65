"""Promise: fields are read as the vendor's builder wrote them, with their offsets; a missing field gives its
default."""

import flatbuffers
import numpy as np
import pytest

from pipeline.formats.flatbuffer import ERRORS, Table


def build() -> bytes:
    """A table of a number, a string, a vector of numbers, a missing field, a table, and a vector of
    tables."""
    builder = flatbuffers.Builder(0)
    text = builder.CreateString("Grüße")
    numbers = builder.CreateNumpyVector(np.array([3, -1, 7], np.int32))
    inner = []
    for value in (5, 6):
        builder.StartObject(1)
        builder.PrependInt64Slot(0, value, 0)
        inner.append(builder.EndObject())
    builder.StartVector(4, 2, 4)
    for offset in reversed(inner):
        builder.PrependUOffsetTRelative(offset)
    tables = builder.EndVector()
    builder.StartObject(6)
    builder.PrependInt16Slot(0, -9, 0)
    builder.PrependUOffsetTRelativeSlot(1, text, 0)
    builder.PrependUOffsetTRelativeSlot(2, numbers, 0)
    builder.PrependUOffsetTRelativeSlot(4, inner[0], 0)
    builder.PrependUOffsetTRelativeSlot(5, tables, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def test_fields_of_every_kind_are_read() -> None:
    table = Table.root(memoryview(build()))
    assert table.number(0, "<h") == -9
    assert table.string(1) == "Grüße"
    assert table.numbers(2) == (3, -1, 7)
    inner = table.table(4)
    assert inner is not None and inner.number(0, "<q") == 5
    assert [each.number(0, "<q") for each in table.tables(5)] == [5, 6]


def test_missing_fields_give_their_defaults() -> None:
    table = Table.root(build())
    for slot in (3, 99):
        assert table.field(slot) is None
        assert table.number(slot, default=12) == 12
        assert table.string(slot) is None
        assert table.table(slot) is None
        assert (table.numbers(slot), table.tables(slot), table.vector(slot)) == ((), [], (0, 0))


def test_the_offset_of_a_vector_is_that_of_its_bytes() -> None:
    content = build()
    begin, count = Table.root(content).vector(2)
    assert np.frombuffer(content, "<i4", count, begin).tolist() == [3, -1, 7]


def test_a_vector_that_is_longer_than_the_buffer_is_refused() -> None:
    content = bytearray(build())
    begin, _ = Table.root(content).vector(2)
    content[begin - 4 : begin] = (1 << 20).to_bytes(4, "little")
    with pytest.raises(ValueError, match="longer than the buffer"):
        Table.root(content).numbers(2)


def test_damage_raises_nothing_but_the_named_errors() -> None:
    content = build()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            table = Table.root(damaged)
            table.number(0, "<h"), table.string(1), table.numbers(2), table.tables(5)
        except ERRORS:
            continue
