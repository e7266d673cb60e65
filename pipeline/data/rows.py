"""Files of examples and their rows, before anything is known about the columns."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.data.faults import Place
from pipeline.errors import InputError
from pipeline.foreign import LFS_POINTER

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
"""Suffixes of compressed files, and pyarrow's names of the codecs."""


@dataclass(frozen=True)
class Row:
    """One row as it is in the file: column name to value."""

    place: Place
    values: dict[str, Any]


KINDS = {
    LFS_POINTER: "a Git LFS pointer, not the file itself; run: git lfs pull",
    b"\x1f\x8b": "gzip-compressed content; append .gz to the file name",
    b"\x28\xb5\x2f\xfd": "zstd-compressed content; append .zst to the file name",
    b"pk\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"<!doctype html": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
}
"""Common files that are not data, by their first bytes in lowercase."""


def _check_kind(path: Path, content: bytes) -> None:
    """Check that a file is not of a common other kind.

    Raises:
        InputError: it is; says what to do.
    """
    start = content[:64].lstrip().lower()
    for beginning, what in KINDS.items():
        if start.startswith(beginning):
            raise InputError(f"{path}: {what}")


@dataclass(frozen=True)
class DataFile:
    """A file of examples.

    Attributes:
        path: the file, possibly compressed.
        encoding: Python's name of its text encoding; None: UTF-8, or what its byte order mark says.
    """

    path: Path
    encoding: str | None = None

    @property
    def suffix(self) -> str:
        """The suffix of the data, in lowercase: that of `rows.jsonl.gz` is `.jsonl`."""
        path = self.path.with_suffix("") if self.path.suffix.lower() in COMPRESSED else self.path
        return path.suffix.lower()

    @cached_property
    def content(self) -> bytes:
        """The bytes of the file, decompressed.

        Raises:
            InputError: the file is missing, cannot be read, or is not what its suffix says.
        """
        codec = COMPRESSED.get(self.path.suffix.lower())
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise InputError(f"{self.path}: no such file; check the data section of the recipe") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        if codec is None:
            _check_kind(self.path, content)
            return content
        import pyarrow

        try:
            with pyarrow.CompressedInputStream(pyarrow.BufferReader(content), codec) as stream:
                unpacked: bytes = stream.read()
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be decompressed as {codec}: {' '.join(str(error).split())}"
            ) from None
        return unpacked
