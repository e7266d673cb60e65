"""Files that other tools wrote: JSON that may be damaged, and pointers in place of a file."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

LFS_POINTER = b"version https://git-lfs."
"""How a file begins that stands for one in Git Large File Storage."""

MOST_DIGITS = 308
"""Of a whole number: more do not fit into a float."""


def refuse_pointer(path: Path, start: bytes, what: str = "file itself") -> None:
    """Refuse a Git LFS pointer, which a clone without Git LFS has in place of a large file.

    Args:
        path: the file, for messages.
        start: its first bytes, at least as many as LFS_POINTER has.
        what: what the file should be.

    Raises:
        InputError: it is one.
    """
    if start.startswith(LFS_POINTER):
        raise InputError(f"{path}: a Git LFS pointer, not the {what}; run: git lfs pull")


def parse_json(content: bytes | str) -> Any:
    """The document in JSON text, in UTF-8 with or without a byte order mark.

    Raises:
        ValueError: it cannot be read; the message gives the reason.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return json.loads(text, parse_int=_whole_number)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FileNotFoundError: there is none; what else is wrong is an InputError, as this may need other words.
        InputError: no JSON object, or a Git LFS pointer; names the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    refuse_pointer(path, content)
    try:
        document = parse_json(content)
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON: {error}; copy or download it again") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(document).__name__}")
    return document


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)
