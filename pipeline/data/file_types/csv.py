"""CSV with a header line (RFC 4180), separated by commas, semicolons, tabs or bars."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.data.encoding import decode
from pipeline.data.faults import Faults, Place
from pipeline.data.rows import DataFile, Row

SUFFIXES = (".csv", ".tsv")

SEPARATORS = (",", ";", "\t", "|")
EXCEL_SEPARATOR = "sep="
"""Excel's first line, such as `sep=;`, names the separator."""
SAMPLE = 50
"""How many records are looked at to find the separator."""

csv.field_size_limit(2**31 - 1)


def read(file: DataFile, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; all else goes to `faults`. A cell without text is None."""
    before = len(faults.found)
    lines = [line for _, line in decode(file, faults)]
    if len(faults.found) > before:
        return
    skipped = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    separator = None
    if skipped < len(lines) and lines[skipped].strip().lower().startswith(EXCEL_SEPARATOR):
        separator = lines[skipped].strip("\r")[len(EXCEL_SEPARATOR) :][:1]
        skipped += 1
    text = "\n".join(lines[skipped:])
    yield from _read(file, text, separator or _separator(text), skipped, faults)


def _records(text: str, separator: str) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=separator != "\t"
    )


def _separator(text: str) -> str:
    """The separator that divides the first records into the same number of fields, the most of them."""

    def fields(separator: str) -> tuple[int, int]:
        counts = []
        try:
            for record in _records(text, separator):
                if any(field.strip() for field in record):
                    counts.append(len(record))
                if len(counts) == SAMPLE:
                    break
        except csv.Error:
            pass
        if not counts or counts[0] == 1:
            return 0, 0
        return sum(count == counts[0] for count in counts), counts[0]

    found = {separator: fields(separator) for separator in SEPARATORS}
    most = max(found.values())
    return next(separator for separator in SEPARATORS if found[separator] == most)


def _read(file: DataFile, text: str, separator: str, skipped: int, faults: Faults) -> Iterator[Row]:
    records = _records(text, separator)
    header: list[str] | None = None
    start = 1
    try:
        for record in records:
            place, start = Place(file.path, start + skipped), records.line_num + 1
            fields = [field if field.strip() else None for field in record]
            if not any(fields):
                continue
            if header is None:
                header = [name.strip() for name in record]
                if twice := _twice(header):
                    faults.add(place, f"two columns are named {twice}; rename or remove one")
                    return
                continue
            if [name.strip("\ufeff \t\r") for name in record] == header:
                faults.add(place, "repeats the header, as in concatenated files; remove the line")
                continue
            while len(fields) > len(header) and fields[-1] is None:
                fields.pop()
            if len(fields) != len(header):
                faults.add(
                    place,
                    f"has {len(fields)} fields, but the header has {len(header)}; quote fields that "
                    f"contain {separator!r} or line breaks",
                )
            else:
                yield Row(
                    place, {name: field for name, field in zip(header, fields, strict=True) if name or field}
                )
    except csv.Error as error:
        open_quote = "unexpected end of data" in str(error)
        what = (
            "a quote in this record is never closed"
            if open_quote
            else f"text follows a closing quote in this record; double the quotes inside a field ({error})"
        )
        faults.add(Place(file.path, start + skipped), f"invalid CSV: {what}")


def _twice(header: Sequence[str]) -> str:
    """A name that two columns have; empty if there is none. Columns without a name do not count."""
    return next((name for name in header if name and header.count(name) > 1), "")
