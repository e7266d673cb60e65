"""Protobuf's wire format, read field by field without a schema:
https://protobuf.dev/programming-guides/encoding."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

ERRORS = (ValueError, IndexError, AttributeError, TypeError)
"""What reading a damaged message may raise."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field of a message; a fixed number is its bytes, a packed list too.

    Raises:
        ValueError, IndexError: not a message.
    """
    offset = 0
    while offset < len(data):
        key, offset = varint(data, offset)
        kind = key & 7
        if kind == VARINT:
            value, offset = varint(data, offset)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, offset = varint(data, offset)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if offset + size > len(data):
            raise ValueError("a field longer than its message")
        yield key >> 3, bytes(data[offset : offset + size])
        offset += size


def varint(data: bytes | memoryview, offset: int) -> tuple[int, int]:
    """A number of variable length, and the offset of the next byte.

    Raises:
        ValueError, IndexError: there is none.
    """
    value = shift = 0
    while True:
        byte = data[offset]
        value |= (byte & 127) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 128:
            return value, offset
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def numbers(value: bytes | int) -> list[int]:
    """The numbers of a repeated field: one, or a packed list of them."""
    if isinstance(value, int):
        return [value]
    found, offset = [], 0
    while offset < len(value):
        number, offset = varint(value, offset)
        found.append(number)
    return found
