"""JSON: one object per line, a list of objects, objects one after another, or one object of columns."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.data.encoding import decode
from pipeline.data.faults import Faults, Place
from pipeline.data.json_text import explain, read_json_values
from pipeline.data.layout import is_conversation, is_known_column
from pipeline.data.rows import DataFile, Row

SUFFIXES = (".jsonl", ".json", ".ndjson")

SAMPLE = 20
"""How many lines are looked at to tell one object per line from a document of many lines."""


def read(file: DataFile, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; all else goes to `faults`."""
    lines = [(number, line) for number, line in decode(file, faults) if line.strip()]
    if _in_lines(lines):
        yield from _read_lines(file, lines, faults)
    else:
        yield from _read_document(file, lines, faults)


def _in_lines(lines: list[tuple[int, str]]) -> bool:
    """Whether each line is a row, and not a part of one document."""
    if not lines or lines[0][1].lstrip().startswith("["):
        return False
    if _is_object(lines[0]):
        # One row, or an object that holds all rows.
        return len(lines) > 1 or len(_rows([json.loads(lines[0][1])])) == 1
    if not any(map(_is_object, lines[:SAMPLE])):
        return False
    try:  # A document may have lines that are objects.
        list(read_json_values("\n".join(line for _, line in lines).strip()))
    except (ValueError, RecursionError):
        return True
    return False


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
            values = list(read_json_values(line))
        except (ValueError, RecursionError) as error:
            faults.add(place, explain(line, error))
            continue
        for value in values:
            if isinstance(value, dict):
                yield Row(place, value)
            else:
                faults.add(place, f"expected one JSON object {{…}} per line, found {type(value).__name__}")


def _read_document(file: DataFile, lines: list[tuple[int, str]], faults: Faults) -> Iterator[Row]:
    text = "\n".join(line for _, line in lines)
    if not text:
        return
    try:
        values = list(read_json_values(text.strip()))
    except (ValueError, RecursionError) as error:
        number, line = lines[0]
        if isinstance(error, json.JSONDecodeError):
            number, line = lines[min(error.lineno, len(lines)) - 1]
        faults.add(Place(file.path, number), explain(line, error))
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
