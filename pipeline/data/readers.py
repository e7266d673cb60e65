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
from pipeline.data.rows import Row
from pipeline.errors import InputError

Reader = Callable[[Path, Faults], Iterator[Row]]


def _discover() -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for module in pkgutil.iter_modules(file_types.__path__, f"{file_types.__name__}."):
        loaded = importlib.import_module(module.name)
        found |= dict.fromkeys(loaded.SUFFIXES, loaded.read)
    return dict(sorted(found.items()))


READERS = _discover()
"""The reader for each suffix."""


def read_rows(path: Path, faults: Faults) -> list[Row]:
    """Read all rows of a file.

    Args:
        path: a .jsonl, .csv or .parquet file.
        faults: receives what could not be read: invalid JSON or UTF-8, too many or too few fields.

    Raises:
        InputError: the file is missing, cannot be opened, or has another suffix.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: unsupported file type {path.suffix or '(no suffix)'}; expected {', '.join(READERS)}"
        )
    try:
        rows = list(reader(path, faults))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the data section of the recipe") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not rows and not any(place.file == path for place, _ in faults.found):
        faults.add(Place(path), "contains no rows")
    return rows
