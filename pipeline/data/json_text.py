"""Reading JSON text strictly: a key that occurs twice is an error."""

import json
from collections.abc import Iterator
from typing import Any


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


def read_json_text(text: str) -> Any:
    """The value that a text holds.

    Raises:
        ValueError: the text is not JSON, or a key occurs twice.
        RecursionError: the value is nested too deeply.
    """
    return _DECODER.decode(text)


def read_json_values(text: str) -> Iterator[Any]:
    """The values that stand one after another in a text.

    Raises:
        ValueError: the text is not JSON, or a key occurs twice.
        RecursionError: a value is nested too deeply.
    """
    start = 0
    while start < len(text):
        value, end = _DECODER.raw_decode(text, start)
        yield value
        start = end + len(text[end:]) - len(text[end:].lstrip())


def explain(text: str, error: Exception) -> str:
    """What is wrong with a text, in the words of who wrote it where the mistake is a common one.

    Args:
        text: a line, or a whole document.
        error: of reading it.
    """
    stripped = text.strip()
    if isinstance(error, RecursionError):
        return "invalid JSON: lists or objects are nested too deeply"
    if stripped.startswith(("//", "#", "/*")):
        return "is a comment, which JSON does not allow; remove it"
    if stripped.startswith(("{'", "['")):
        return "has text in single quotes; JSON uses double quotes (in Python, write rows with json.dumps)"
    if "\ufeff" in stripped:
        return "contains a byte order mark, as in concatenated files; remove it"
    if "\0" in stripped:
        return "contains NUL characters: the file may be damaged; copy it again"
    if stripped.endswith("},"):
        return "ends with a comma; remove it, or put the rows into a list: [ … ]"
    if isinstance(error, json.JSONDecodeError):
        before, at = error.doc[: error.pos].rstrip(), error.doc[error.pos : error.pos + 1]
        if before.endswith(",") and at in ("]", "}"):
            return f"has a comma before {at}; remove it"
    return f"invalid JSON: {error}"
