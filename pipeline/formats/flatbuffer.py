"""Reading flatbuffers by slot number, with nothing but the standard library, and the places in the file of what is read.

The layout is that of https://flatbuffers.dev/internals: a table begins with the (signed) distance back to its vtable, which holds the
distance of each field from the table; strings, vectors and tables are reached over unsigned distances. Fields are numbered by
their order in the schema. Why not the package flatbuffers and the code that it generates: those tell values, and a graft must
know where the bytes of a value lie; and the graft is to run where the converter's packages do not.
"""

import struct
from typing import Any

ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What reading a damaged flatbuffer may raise: offsets are followed without asking whether they make sense."""


class Table:
    """A table in a buffer; a field that is not there gives its default.

    Attributes:
        data: the whole buffer: bytes, or a memoryview of a mapped file.
        place: where the table begins in it.
    """

    def __init__(self, data: Any, place: int) -> None:
        self.data = data
        self.place = place
        self._vtable = place - self._read("<i", place)
        self._vtable_bytes = self._read("<H", self._vtable)

    @classmethod
    def root(cls, data: Any) -> "Table":
        """The root table of a buffer that begins with its place."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def field(self, slot: int) -> int | None:
        """Where a field lies."""
        entry = 4 + 2 * slot
        if entry + 2 > self._vtable_bytes:
            return None
        distance = self._read("<H", self._vtable + entry)
        return self.place + distance if distance else None

    def number(self, slot: int, kind: str = "<I", default: Any = 0) -> Any:
        """A number; `kind` as in `struct`."""
        place = self.field(slot)
        return default if place is None else self._read(kind, place)

    def table(self, slot: int) -> "Table | None":
        """A table."""
        place = self.field(slot)
        return None if place is None else Table(self.data, self._follow(place))

    def tables(self, slot: int) -> list["Table"]:
        """A vector of tables."""
        start, count = self.vector(slot)
        return [Table(self.data, self._follow(start + 4 * index)) for index in range(count)]

    def vector(self, slot: int) -> tuple[int, int]:
        """Where a vector's (or string's) first element lies, and how many it has."""
        place = self.field(slot)
        if place is None:
            return 0, 0
        start = self._follow(place)
        count = self._read("<I", start)
        if start + 4 + count > len(self.data):
            raise ValueError("a vector that is longer than the buffer")
        return start + 4, count

    def numbers(self, slot: int, kind: str = "i") -> tuple[Any, ...]:
        """A vector of numbers."""
        start, count = self.vector(slot)
        return struct.unpack_from(f"<{count}{kind}", self.data, start) if count else ()

    def string(self, slot: int) -> str | None:
        """A string."""
        if self.field(slot) is None:
            return None
        start, count = self.vector(slot)
        return bytes(self.data[start : start + count]).decode("utf-8")

    def _follow(self, place: int) -> int:
        return place + int(self._read("<I", place))

    def _read(self, kind: str, place: int) -> Any:
        if place < 0:  # struct would count from the end
            raise ValueError("a place before the buffer")
        return struct.unpack_from(kind, self.data, place)[0]
