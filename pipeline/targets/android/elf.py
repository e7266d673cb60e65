"""Read the segment alignments of an ELF file: they decide whether a phone with large memory pages can load
it."""

import struct
from typing import BinaryIO

from pipeline.errors import PocketGemmaError

_LOAD = 1
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")


def load_alignments(file: BinaryIO, start: int = 0) -> list[int]:
    """Alignment in bytes of each LOAD segment of a 64-bit little-endian ELF file (System V ABI, chapter 5,
    "Program Header").

    Args:
        file: a seekable file.
        start: the byte at which the ELF file starts.

    Raises:
        PocketGemmaError: not such a file, truncated, or without LOAD segments.
    """
    file.seek(start)
    header = file.read(64)
    if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
        raise PocketGemmaError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    alignments = []
    for index in range(count):
        file.seek(start + table + index * size)
        entry = file.read(_PROGRAM_HEADER.size)
        if size < _PROGRAM_HEADER.size or len(entry) < _PROGRAM_HEADER.size:
            raise PocketGemmaError("a truncated ELF file")
        fields = _PROGRAM_HEADER.unpack(entry)
        if fields[0] == _LOAD:
            alignments.append(fields[7])
    if not alignments:
        raise PocketGemmaError("an ELF file without LOAD segments")
    return alignments
