"""JSON: one object per line, a list of objects, objects one after another, or one object of columns."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.data.encoding import decode
from pipeline.data.faults import Faults, Place
from pipeline.data.layout import is_conversation, is_known_column
from pipeline.data.rows import DataFile, Row

SUFFIXES = (".jsonl", ".json", ".ndjson")

SAMPLE = 20
"""How many lines are looked at to tell one object per line from a document of many lines."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ; json itself would keep the last of two in silence.

    Raises:
        ValueError: a key occurs twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice} occurs twice; keep one")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def read(file: DataFile, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; whatever is not a row goes to `faults`."""
    lines = [(number, line) for number, line in decode(file, faults) if line.strip()]
    in_lines = any(map(_is_object, lines[:SAMPLE]))
    if len(lines) == 1 and in_lines:  # One row, or an object that holds all rows.
        in_lines = len(_rows([json.loads(lines[0][1])])) == 1
    if in_lines:
        yield from _read_lines(file, lines, faults)
    else:
        yield from _read_document(file, lines, faults)


def _is_object(line: tuple[int, str]) -> bool:
    """Whether a numbered line is a JSON object by itself."""
    try:
        return isinstance(json.loads(line[1]), dict)
    except (ValueError, RecursionError):
        return False


def _read_lines(file: DataFile, lines: list[tuple[int, str]], faults: Faults) -> Iterator[Row]:
    for number, line in lines:
        place = Place(file.path, number)
        try:
            values = list(_values(line))
        except (ValueError, RecursionError) as error:
            faults.add(place, _explain(line, error))
            continue
        for value in values:
            if isinstance(value, dict):
                yield Row(place, value)
            else:
                faults.add(place, f"expected one JSON object {{…}} per line, found {type(value).__name__}")


def _values(text: str) -> Iterator[Any]:
    """The JSON values that stand one after another in a text."""
    start = 0
    while start < len(text):
        value, end = _DECODER.raw_decode(text, start)
        yield value
        start = end + len(text[end:]) - len(text[end:].lstrip())


def _explain(line: str, error: Exception) -> str:
    """What is wrong with a line, in the words of who wrote it where the mistake is a common one."""
    stripped = line.strip()
    if stripped.startswith(("//", "#", "/*")):
        return "is a comment, which JSON does not have; remove it"
    if stripped.startswith(("{'", "['")):
        return "has text in single quotes; JSON takes double quotes (in Python, write rows with json.dumps)"
    if stripped.endswith("},"):
        return "ends with a comma; remove it, or put the rows into a list: [ … ]"
    return f"invalid JSON: {error}"


def _read_document(file: DataFile, lines: list[tuple[int, str]], faults: Faults) -> Iterator[Row]:
    text = "\n".join(line for _, line in lines)
    if not text:
        return
    try:
        values = list(_values(text.strip()))
    except (ValueError, RecursionError) as error:
        number, line = lines[0]
        if isinstance(error, json.JSONDecodeError):
            number, line = lines[min(error.lineno, len(lines)) - 1]
        faults.add(Place(file.path, number), _explain(line, error))
        return
    for number, value in enumerate(_rows(values), start=1):
        place = Place(file.path, number, "row")
        if isinstance(value, dict):
            yield Row(place, value)
        else:
            faults.add(place, f"expected a JSON object {{…}}, found {type(value).__name__}")


def _rows(values: list[Any]) -> list[Any]:
    """The rows of a document: the items of its list, or those of its columns, or its objects."""
    if len(values) != 1:
        return values
    (only,) = values
    if isinstance(only, list):
        return only
    if isinstance(only, dict) and only:
        return _rows_of_object(only)
    return values


def _rows_of_object(document: dict[str, Any]) -> list[Any]:
    """The rows of one object: those of its only list of objects, or of its columns of equal length. An object
    that has a conversation of its own, or the text of a part of one, is a row itself."""
    lists = {name: value for name, value in document.items() if _is_list_of_objects(value)}
    if len(lists) == 1:
        ((name, rows),) = lists.items()
        beside = any(other != name and is_known_column(other) for other in document)
        return [document] if beside or is_conversation(name, rows[0]) else rows
    for kind in (list, dict):
        columns = list(document.values())
        if all(isinstance(column, kind) and column for column in columns):
            keys = [range(len(column)) if kind is list else column.keys() for column in columns]
            if all(list(each) == list(keys[0]) for each in keys):
                return [{name: column[key] for name, column in document.items()} for key in keys[0]]
    return [document]


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
