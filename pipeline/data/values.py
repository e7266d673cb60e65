"""The values of a row: which are empty, and which can be read as text."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pipeline.data.notes import Notes
from pipeline.errors import InputError

MISSING_MARKS = frozenset(
    (
        "nan",
        "none",
        "null",
        "nat",
        "<na>",
        "#n/a",
        "#na",
        "#value!",
        "#ref!",
        "#div/0!",
        "#name?",
        "#null!",
        "#num!",
    )
)
"""What data frames and spreadsheets write where a value is missing, in lowercase."""


class MissingValueError(InputError):
    """A row has no usable prompt or response: it is empty, or the mark of a missing value."""


def is_blank(value: Any) -> bool:
    """Whether a value holds nothing: null, NaN, an empty list or object, or text without a visible
    character."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str):
        return not value or (not value[0].isalnum() and not _visible(value))
    return isinstance(value, list | dict) and not value


def _visible(text: str) -> bool:
    """Whether any character is neither white space nor invisible, such as U+200B."""
    return any(unicodedata.category(each) not in ("Zs", "Zl", "Zp", "Cc", "Cf") for each in text)


def is_mark_of_missing(text: str) -> bool:
    """Whether text is nothing but what data frames and spreadsheets write for a missing value."""
    return text.strip().lower() in MISSING_MARKS


def column_value(values: dict[str, Any], path: str) -> Any:
    """The value of a column, or of a path into a column of objects, such as `answers.text`; None if there is
    none. Of a list with one item, the item."""
    if path in values:
        return values[path]
    value: Any = values
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list) and len(value) == 1 and path not in values:
        return value[0]
    return value


def has_path(values: Mapping[str, Any], path: str) -> bool:
    """Whether a row has a column, or a path into a column of objects; its value does not matter."""
    if path in values:
        return True
    value: Any = values
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


KINDS = {
    bytes: "binary data",
    bool: "a boolean",
    float: "a number with a fraction",
    list: "a list",
    dict: "an object",
}


def as_text(name: str, value: Any, notes: Notes) -> str:
    """A value that must be text, with line feeds as line ends. Whole numbers are written out and counted.

    Raises:
        MissingValueError: it is blank.
        InputError: it is neither text nor a whole number.
    """
    if is_blank(value):
        raise MissingValueError(f"{name} is empty")
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value
    if isinstance(value, int) and not isinstance(value, bool):
        notes.numbers += 1
        return str(value)
    kind = KINDS.get(type(value), type(value).__name__)
    raise InputError(
        f"{name} is {kind}, {json.dumps(value, default=str):.40}; expected text: write what the model "
        "should see"
    )


def normalized(name: str) -> str:
    """A column name as it is compared: "System Prompt" and "system_prompt" are the same."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()
