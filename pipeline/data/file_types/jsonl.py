"""JSON Lines: one JSON object per line."""

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.encoding import UTF8_MARK, is_utf16, not_utf8
from pipeline.data.faults import Faults, Place
from pipeline.data.rows import Row

SUFFIXES = (".jsonl",)


def read(path: Path, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; whatever is not a row goes to `faults`."""
    content = path.read_bytes()
    if is_utf16(content, path, faults):
        return
    for number, line in enumerate(content.removeprefix(UTF8_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        place = Place(path, number)
        try:
            values = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            faults.add(place, not_utf8(line, error))
        except (ValueError, RecursionError) as error:
            faults.add(place, f"invalid JSON: {error}")
        else:
            if isinstance(values, dict):
                yield Row(place, values)
            else:
                faults.add(place, f"expected one JSON object {{…}} per line, found {type(values).__name__}")
