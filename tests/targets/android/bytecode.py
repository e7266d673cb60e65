"""Read compiled code: the members that a dex file references, and those that a class file declares.

https://source.android.com/docs/core/runtime/dex-format and chapter 4 of the Java Virtual Machine
Specification.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# Offset in the header of the counts and offsets of strings, types, prototypes, fields and methods.
_DEX_LISTS = 0x38
_WIDE_CONSTANTS = (5, 6)
_CONSTANT_BYTES = {
    3: 4,
    4: 4,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
} | dict.fromkeys(_WIDE_CONSTANTS, 8)


class Member(NamedTuple):
    """A method or a field: the class that it is looked up in (java/util/List), its name and its type."""

    owner: str
    name: str
    descriptor: str


@dataclass(frozen=True)
class ClassFile:
    """The members that a class declares, and its superclass and interfaces."""

    members: frozenset[tuple[str, str]]
    parents: tuple[str, ...]


def members_called(dex: Path) -> set[Member]:
    """Every method and field of a class, not of an array, that a dex file references."""
    data = dex.read_bytes()
    lists = struct.unpack_from("<10I", data, _DEX_LISTS)
    (_, strings), (type_count, types), (_, prototypes), (field_count, fields), (method_count, methods) = zip(
        lists[::2], lists[1::2], strict=True
    )

    def word(offset: int) -> int:
        return int(struct.unpack_from("<I", data, offset)[0])

    def string(index: int) -> str:
        start = word(strings + 4 * index)
        while data[start] >= 0x80:  # the length, in groups of seven bits
            start += 1
        return data[start + 1 : data.index(0, start + 1)].decode("utf-8", "replace")

    names = [string(word(types + 4 * index)) for index in range(type_count)]

    def prototype(index: int) -> str:
        result, parameters = names[word(prototypes + 12 * index + 4)], word(prototypes + 12 * index + 8)
        count = word(parameters) if parameters else 0
        taken = struct.unpack_from(f"<{count}H", data, parameters + 4) if count else ()
        return f"({''.join(names[each] for each in taken)}){result}"

    found = set()
    for index in range(field_count):
        owner, kind, name = struct.unpack_from("<HHI", data, fields + 8 * index)
        found.add((names[owner], string(name), names[kind]))
    for index in range(method_count):
        owner, kind, name = struct.unpack_from("<HHI", data, methods + 8 * index)
        found.add((names[owner], string(name), prototype(kind)))
    return {Member(owner[1:-1], name, kind) for owner, name, kind in found if owner.startswith("L")}


def read_class(data: bytes) -> ClassFile:
    """The members and parents of a class file."""
    (count,) = struct.unpack_from(">H", data, 8)
    texts: dict[int, str] = {}
    classes: dict[int, int] = {}
    offset, index = 10, 1
    while index < count:
        kind = data[offset]
        if kind == 1:
            (size,) = struct.unpack_from(">H", data, offset + 1)
            texts[index] = data[offset + 3 : offset + 3 + size].decode("utf-8", "replace")
            offset += 3 + size
        else:
            if kind == 7:
                classes[index] = struct.unpack_from(">H", data, offset + 1)[0]
            offset += 1 + _CONSTANT_BYTES[kind]
        index += 2 if kind in _WIDE_CONSTANTS else 1
    parent, interfaces = struct.unpack_from(">4xHH", data, offset)
    parents = struct.unpack_from(f">{interfaces}H", data, offset + 8)
    offset += 8 + 2 * interfaces
    members = set()
    for _ in ("fields", "methods"):
        (number,) = struct.unpack_from(">H", data, offset)
        offset += 2
        for _ in range(number):
            name, descriptor, attributes = struct.unpack_from(">2xHHH", data, offset)
            members.add((texts[name], texts[descriptor]))
            offset += 8
            for _ in range(attributes):
                offset += 6 + struct.unpack_from(">2xI", data, offset)[0]
    named = tuple(texts[classes[each]] for each in (parent, *parents) if each)
    return ClassFile(frozenset(members), named)
