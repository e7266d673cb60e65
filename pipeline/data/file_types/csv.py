"""CSV with a header line (RFC 4180)."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.encoding import UTF8_MARK, is_utf16, not_utf8
from pipeline.data.faults import Faults, Place
from pipeline.data.rows import Row

SUFFIXES = (".csv",)


def read(path: Path, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; whatever is not a row goes to `faults`."""
    content = path.read_bytes()
    if is_utf16(content, path, faults):
        return
    content = content.removeprefix(UTF8_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        for number, line in enumerate(content.split(b"\n"), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                faults.add(Place(path, number), not_utf8(line, error))
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
                    f"has {len(fields)} fields, the header has {len(header)}; quote fields that contain "
                    "commas or line breaks",
                )
            else:
                yield Row(place, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        faults.add(Place(path, start), f"invalid CSV: {error}")
