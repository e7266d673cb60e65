"""Reading a preset's config.json, with errors that name the file and the key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a preset folder.

    Raises:
        InputError: no such file, or no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; is {path.parent} a preset folder?") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(document).__name__}")
    return document


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
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{path}: {key} is {value!r}, expected a positive integer")
    return value


def number(path: Path, document: Mapping[str, Any], key: str) -> float:
    """The positive number under a key.

    Raises:
        InputError: there is none; names file, key and value.
    """
    value = document.get(key)
    if not isinstance(value, int | float) or value <= 0:
        raise InputError(f"{path}: {key} is {value!r}, expected a positive number")
    return float(value)
