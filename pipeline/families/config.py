"""Reading a preset's config.json, with errors that name the file and the key."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.foreign import read_json_object

MOST_LAYERS = 1000
"""Many times the layers of the largest Gemma. A larger number would fill the memory with names of tensors."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a preset folder.

    Raises:
        InputError: no such file, or no JSON object; names the file.
    """
    try:
        return read_json_object(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; is {path.parent} a preset folder?") from None


def section(path: Path, document: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under a key.

    Raises:
        InputError: there is none; names file and key.
    """
    value = document.get(key)
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key} is missing")
    return value


def positive(path: Path, document: Mapping[str, Any], key: str) -> int:
    """The positive integer under a key.

    Raises:
        InputError: there is none; names file, key and value.
    """
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{path}: {key} is {value!r:.60}, expected a positive integer")
    return value


def layer_count(path: Path, document: Mapping[str, Any], key: str) -> int:
    """The number of layers under a key.

    Raises:
        InputError: there is none, or more than any Gemma has; names file, key and value.
    """
    value = positive(path, document, key)
    if value > MOST_LAYERS:
        raise InputError(f"{path}: {key} is {value:,}, expected at most {MOST_LAYERS:,} layers")
    return value


def is_positive(value: object) -> bool:
    """Whether a value is a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def number(path: Path, document: Mapping[str, Any], key: str) -> float:
    """The positive number under a key.

    Raises:
        InputError: there is none; names file, key and value.
    """
    value: Any = document.get(key)
    if not is_positive(value):
        raise InputError(f"{path}: {key} is {value!r:.60}, expected a positive number")
    return float(value)
