"""Rows of .jsonl, .csv and .parquet files. Whatever is not a row is reported as a fault with its line, and reading continues."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.data.faults import Faults, Place
from pipeline.errors import InputError

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """One row as it is in the file: column name to value."""

    place: Place
    values: dict[str, Any]


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


def _jsonl(path: Path, faults: Faults) -> Iterator[Row]:
    content = path.read_bytes()
    if _is_utf16(content, path, faults):
        return
    for number, line in enumerate(content.removeprefix(UTF8_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        place = Place(path, number)
        try:
            values = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            faults.add(place, _not_utf8(line, error))
        except (ValueError, RecursionError) as error:
            faults.add(place, f"invalid JSON: {error}")
        else:
            if isinstance(values, dict):
                yield Row(place, values)
            else:
                faults.add(place, f"expected one JSON object {{…}} per line, found {type(values).__name__}")


def _csv(path: Path, faults: Faults) -> Iterator[Row]:
    content = path.read_bytes()
    if _is_utf16(content, path, faults):
        return
    content = content.removeprefix(UTF8_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        for number, line in enumerate(content.split(b"\n"), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                faults.add(Place(path, number), _not_utf8(line, error))
        return
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for fields in lines:
            place, start = Place(path, start), lines.line_num + 1
            if not fields:
                continue
            if header is None:
                header = [name.strip() for name in fields]
                if len(set(header)) < len(header):
                    faults.add(place, f"two columns have the same name: {', '.join(header)}")
                    return
            elif len(fields) != len(header):
                faults.add(
                    place,
                    f"has {len(fields)} fields, the header has {len(header)}; quote fields that contain commas or line breaks",
                )
            else:
                yield Row(place, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        faults.add(Place(path, start), f"invalid CSV: {error}")


def _parquet(path: Path, faults: Faults) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        faults.add(Place(path), f"not a Parquet file: {' '.join(str(error).split())}")
        return
    if len(set(table.column_names)) < len(table.column_names):
        faults.add(Place(path), f"two columns have the same name: {', '.join(table.column_names)}")
        return
    for index in range(table.num_rows):
        place = Place(path, index + 1)
        try:
            yield Row(place, {name: table[name][index].as_py() for name in table.column_names})
        except UnicodeDecodeError as error:
            faults.add(place, f"not valid UTF-8: {error.reason}")


def _is_utf16(content: bytes, path: Path, faults: Faults) -> bool:
    if content.startswith(UTF16_MARKS):
        faults.add(Place(path), "is UTF-16; save it as UTF-8")
        return True
    return False


def _not_utf8(line: bytes, error: UnicodeDecodeError) -> str:
    before = line[max(0, error.start - 20) : error.start].decode("utf-8", errors="ignore")
    return f"not valid UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}, after {before!r}"


READERS: dict[str, Callable[[Path, Faults], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""The reader for each suffix."""
