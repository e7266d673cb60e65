"""Protobuf's wire format, read field by field without a schema: https://protobuf.dev/programming-guides/encoding."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

ERRORS = (ValueError, IndexError, AttributeError, TypeError)
"""What reading a damaged message may raise."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field of a message; a fixed number is its bytes, a packed list too.

    Raises:
        ValueError, IndexError: not a message.
    """
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        kind = key & 7
        if kind == VARINT:
            value, place = varint(data, place)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, place = varint(data, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if place + size > len(data):
            raise ValueError("a field longer than its message")
        yield key >> 3, bytes(data[place : place + size])
        place += size


def varint(data: bytes | memoryview, place: int) -> tuple[int, int]:
    """A number of variable length, and where the next byte is.

    Raises:
        ValueError, IndexError: there is none.
    """
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def numbers(value: bytes | int) -> list[int]:
    """The numbers of a repeated field: one, or a packed list of them."""
    if isinstance(value, int):
        return [value]
    found, place = [], 0
    while place < len(value):
        number, place = varint(value, place)
        found.append(number)
    return found
