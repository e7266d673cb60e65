"""Flatbuffers read by slot number with the standard library alone, and the offsets in the file of what is
read.

The layout is that of https://flatbuffers.dev/internals: a table begins with the (signed) distance back to its
vtable, which holds the distance of each field from the table; strings, vectors and tables are reached over
unsigned distances. Fields are numbered by their order in the schema. Why not the package flatbuffers and the
code that it generates: they give values, and a graft must know where the bytes of a value lie; and the graft
runs where the converter's packages are not installed.
"""

import struct
from typing import Any

ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What reading a damaged flatbuffer may raise: offsets are followed without asking whether they make
sense."""

_uint16, _int32, _uint32 = (struct.Struct(kind).unpack_from for kind in ("<H", "<i", "<I"))


class Table:
    """A table in a buffer; a missing field gives its default.

    Attributes:
        data: the whole buffer: bytes, or a memoryview of a mapped file.
        offset: where the table begins in it.
    """

    def __init__(self, data: Any, offset: int) -> None:
        self.data = data
        self.offset = offset
        self._vtable = offset - _int32(data, offset)[0]
        if self._vtable < 0:  # struct would count from the end
            raise ValueError("an offset before the buffer")
        self._vtable_bytes = _uint16(data, self._vtable)[0]

    @classmethod
    def root(cls, data: Any) -> "Table":
        """The root table of a buffer, which begins with the table's offset."""
        return cls(data, _uint32(data, 0)[0])

    def field(self, slot: int) -> int | None:
        """Offset of a field; None when it is missing."""
        entry = 4 + 2 * slot
        if entry + 2 > self._vtable_bytes:
            return None
        distance = _uint16(self.data, self._vtable + entry)[0]
        return self.offset + distance if distance else None

    def number(self, slot: int, kind: str = "<I", default: Any = 0) -> Any:
        """A number; `kind` as in `struct`."""
        offset = self.field(slot)
        return default if offset is None else struct.unpack_from(kind, self.data, offset)[0]

    def table(self, slot: int) -> "Table | None":
        """A table."""
        offset = self.field(slot)
        return None if offset is None else Table(self.data, self._follow(offset))

    def tables(self, slot: int) -> list["Table"]:
        """A vector of tables."""
        start, count = self.vector(slot)
        return [Table(self.data, self._follow(start + 4 * index)) for index in range(count)]

    def vector(self, slot: int) -> tuple[int, int]:
        """Offset of a vector's (or string's) first element, and how many elements it has."""
        offset = self.field(slot)
        if offset is None:
            return 0, 0
        start = self._follow(offset)
        count = _uint32(self.data, start)[0]
        if start + 4 + count > len(self.data):
            raise ValueError("a vector that is longer than the buffer")
        return start + 4, count

    def numbers(self, slot: int, kind: str = "i") -> tuple[Any, ...]:
        """A vector of numbers."""
        start, count = self.vector(slot)
        return struct.unpack_from(f"<{count}{kind}", self.data, start) if count else ()

    def string(self, slot: int) -> str | None:
        """A string; None when it is missing."""
        if self.field(slot) is None:
            return None
        start, count = self.vector(slot)
        return bytes(self.data[start : start + count]).decode("utf-8")

    def _follow(self, offset: int) -> int:
        return offset + int(_uint32(self.data, offset)[0])
