"""The wording of what is wrong with a recipe: file, key, what was expected and what was found."""

import difflib
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.recipe.schema import Config
from pipeline.recipe.section import UNEXPECTED, UNKNOWN_NAME, Section

EXPECTED = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
    "too_short": "{min_length} or more entries",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a section with keys",
}
"""What was expected, by pydantic's type of error; the limits come from the context of the error."""


BRACES = "; put text with braces in quotes"
LONGEST = 100
"""Characters of a value in a message."""


def explain(path: Path, error: ValidationError, document: Any) -> str:
    """All errors of a recipe, one on a line.

    Args:
        path: the recipe.
        error: what pydantic found.
        document: the recipe as it is written.
    """
    details = error.errors()
    places = [detail["loc"] for detail in details]
    # A list without its wrong entries may be too short; they are what is wrong with it.
    apart = [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(len(place) > len(at := detail["loc"]) and place[: len(at)] == at for place in places)
    ]
    return "\n".join(f"{path}: {line}" for detail in apart for line in _lines(detail, document))


def _lines(detail: ErrorDetails, document: Any) -> list[str]:
    keys = _written(detail["loc"], document)
    where = f"{'.'.join(keys)}: " if keys else ""
    return [where + line for line in _message(detail, keys).splitlines()]


def _written(place: Sequence[int | str], document: Any) -> list[str]:
    """The keys that lead to an error; no index into what is no list in the recipe."""
    keys = []
    for part in place:
        if isinstance(part, int) and not (isinstance(document, list | tuple) and part < len(document)):
            break
        keys.append(str(part))
        inside = isinstance(part, int) or (isinstance(document, dict) and part in document)
        document = document[part] if inside else None
    return keys


def _message(detail: ErrorDetails, keys: list[str]) -> str:
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "missing; add it"
    if kind == "extra_forbidden":
        known = _known_keys(keys[:-1])
        return "unknown key; " + (_closest(keys[-1], known) or f"known keys: {', '.join(known)}")
    if kind in (UNKNOWN_NAME, "literal_error"):
        names = context["names"] if kind == UNKNOWN_NAME else re.findall(r"'([^']*)'", context["expected"])
        hint = _closest(str(found), names)
        return f"expected one of {', '.join(names)}, got {_shown(found)}" + (f"; {hint}" if hint else "")
    if kind == UNEXPECTED:
        return f"expected {context['expected']}, got {_shown(context['found'])}"
    if kind in EXPECTED:
        limits = {name: _limit(value) for name, value in context.items()}
        hint = BRACES if kind == "string_type" and isinstance(found, dict) else ""
        return f"expected {EXPECTED[kind].format(**limits)}, got {_shown(found)}{hint}"
    return f"{detail['msg']}, got {_shown(found)}"


def _limit(value: Any) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )


class _Values(reprlib.Repr):
    """Values as YAML has them; long ones are shortened in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = LONGEST

    def repr_bool(self, value: bool, level: int) -> str:
        return str(value).lower()

    def repr_NoneType(self, value: None, level: int) -> str:
        return "null"

    def repr_int(self, value: int, level: int) -> str:
        bits = value.bit_length()
        return str(value) if bits < LONGEST * 3 else f"a whole number of {bits:,} bits"


_shown = _Values().repr


def _closest(found: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(found.lower(), names, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _known_keys(section: Sequence[str]) -> list[str]:
    model: type[Section] = Config
    for name in section:
        inner = model.model_fields[name].annotation
        assert isinstance(inner, type) and issubclass(inner, Section)
        model = inner
    return list(model.model_fields)
