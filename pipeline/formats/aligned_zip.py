"""Zip files whose entries begin at multiples of a number of bytes, so that a runtime can map them in place.

An entry is padded by an extra field in its local header, as Android's tools do it (apksig, ApkSigner.java:
ALIGNMENT_ZIP_EXTRA_DATA_FIELD). Equal input gives equal bytes: every entry has the same time, and no
attributes.
"""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError

WORD_BYTES = 4
"""The alignment that Android and MediaPipe require of every stored entry."""

ALIGNMENT_FIELD = 0xD935
"""Id of the extra field that pads an entry: its alignment as a uint16, then zeros."""

STAMP = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the earliest that a zip can hold."""

LOCAL_HEADER = b"PK\3\4"
LOCAL_HEADER_BYTES = 30
ALIGNMENT_HEADER_BYTES = 6
COPY_BYTES = 1 << 20


def add_bytes(
    archive: zipfile.ZipFile,
    name: str,
    content: bytes,
    *,
    compressed: bool = False,
    alignment: int = WORD_BYTES,
) -> None:
    """Add an entry.

    Args:
        archive: open for writing.
        name: of the entry.
        content: of the entry.
        compressed: deflate the content; a compressed entry is not aligned.
        alignment: a stored entry's content begins at a multiple of this, in bytes.
    """
    entry = _new_entry(archive, name, len(content), compressed, alignment)
    with archive.open(entry, "w") as out:
        out.write(content)


def add_file(
    archive: zipfile.ZipFile,
    name: str,
    path: Path,
    begin: int = 0,
    end: int | None = None,
    *,
    compressed: bool = False,
    alignment: int = WORD_BYTES,
) -> None:
    """Add an entry with the bytes of a file, or with those from `begin` to `end`; only a piece at a time is
    in memory.

    Args:
        archive: open for writing.
        name: of the entry.
        path: the file to copy.
        begin: first byte to copy.
        end: byte after the last one to copy; the end of the file if None.
        compressed: deflate the content; a compressed entry is not aligned.
        alignment: a stored entry's content begins at a multiple of this, in bytes.

    Raises:
        InputError: the file ends before `end`.
    """
    end = path.stat().st_size if end is None else end
    entry = _new_entry(archive, name, end - begin, compressed, alignment)
    with archive.open(entry, "w") as out:
        for piece in _pieces(path, begin, end):
            out.write(piece)


def entry_offset(path: Path, entry: zipfile.ZipInfo) -> int:
    """The byte of a zip file at which the content of an entry begins.

    Raises:
        InputError: the entry's local header is damaged.
    """
    try:
        with path.open("rb") as file:
            file.seek(entry.header_offset)
            header = file.read(LOCAL_HEADER_BYTES)
    except (OSError, ValueError, OverflowError):  # an offset that no file can have
        header = b""
    if not header.startswith(LOCAL_HEADER) or len(header) < LOCAL_HEADER_BYTES:
        raise InputError(f"{path}: its entry {entry.filename!r} is damaged; copy the file again")
    # .ZIP File Format Specification 4.3.7: the lengths of name and extra field end the local header, and both
    # follow it.
    name, extra = struct.unpack_from("<HH", header, 26)
    return int(entry.header_offset + LOCAL_HEADER_BYTES + name + extra)


def _new_entry(
    archive: zipfile.ZipFile, name: str, size: int, compressed: bool, alignment: int
) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.create_system = 0
    entry.external_attr = 0
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    entry.file_size = size
    if not compressed:
        start = archive.start_dir + LOCAL_HEADER_BYTES + len(name.encode()) + ALIGNMENT_HEADER_BYTES
        padding = -start % alignment
        entry.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + padding, alignment) + bytes(padding)
    return entry


def _pieces(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        left = end - begin
        while left:
            piece = file.read(min(COPY_BYTES, left))
            if not piece:
                raise InputError(
                    f"{path}: ends before byte {end:,}; it changed while it was copied, run the command again"
                )
            left -= len(piece)
            yield piece
