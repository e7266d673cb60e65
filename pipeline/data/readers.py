"""Rows of a file of any supported type. Whatever is not a row is reported as a fault with its line, and
reading continues.

Each module of `pipeline.data.file_types` is one file type; to add one, add a file.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.data import file_types
from pipeline.data.faults import Faults, Place
from pipeline.data.rows import COMPRESSED, DataFile, Row
from pipeline.errors import InputError

Reader = Callable[[DataFile, Faults], Iterator[Row]]


def _discover() -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for module in pkgutil.iter_modules(file_types.__path__, f"{file_types.__name__}."):
        loaded = importlib.import_module(module.name)
        found |= dict.fromkeys(loaded.SUFFIXES, loaded.read)
    return dict(sorted(found.items()))


READERS = _discover()
"""The reader for each suffix."""

OTHERS = {
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".zip": "unpack it and name the file inside",
    ".tar": "unpack it and name the file inside",
    ".txt": "save it as .csv or .jsonl with a prompt and a response in each row",
}
"""What to do with common files of other types."""


def read_rows(path: Path, faults: Faults, encoding: str | None = None) -> list[Row]:
    """Read all rows of a file.

    Args:
        path: a file with a suffix of READERS, or with one of COMPRESSED behind it.
        faults: receives what could not be read: invalid JSON or UTF-8, too many or too few fields.
        encoding: Python's name of the text encoding; None: UTF-8, or what the byte order mark says.

    Raises:
        InputError: the file is missing, cannot be opened, or has another suffix.
    """
    file = DataFile(path, encoding)
    reader = READERS.get(file.suffix)
    if reader is None:
        instead = OTHERS.get(file.suffix)
        raise InputError(
            f"{path}: unsupported file type {file.suffix or '(no suffix)'}; "
            + (instead or f"expected {', '.join(READERS)}, optionally compressed ({', '.join(COMPRESSED)})")
        )
    rows = list(reader(file, faults))
    if not rows and not any(place.file == path for place, _ in faults.found):
        faults.add(Place(path), "contains no rows")
    return rows
