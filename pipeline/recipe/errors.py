"""The wording of what is wrong with a recipe: file, key, what was expected and what was found."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.recipe.schema import Config
from pipeline.recipe.section import UNKNOWN_NAME, Section

EXPECTED = {
    "greater_than_equal": "{ge:g} or more",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt:g}",
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
    "model_type": "a section with keys of its own",
}
"""What was expected, by pydantic's type of error; the limits come from the context of the error."""


def explain(path: Path, error: ValidationError) -> str:
    """All errors of a recipe, one on a line.

    Args:
        path: the recipe.
        error: what pydantic found.
    """
    return "\n".join(f"{path}: {line}" for detail in error.errors() for line in _lines(detail))


def _lines(detail: ErrorDetails) -> list[str]:
    keys = [str(part) for part in detail["loc"]]
    where = f"{'.'.join(keys)}: " if keys else ""
    return [where + line for line in _message(detail, keys).splitlines()]


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
        return f"expected one of {', '.join(names)}, got {found!r}" + (f"; {hint}" if hint else "")
    if kind in EXPECTED:
        return f"expected {EXPECTED[kind].format(**context)}, got {found!r}"
    return f"{detail['msg']}, got {found!r}"


def _closest(found: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(found, names, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _known_keys(section: Sequence[str]) -> list[str]:
    model: type[Section] = Config
    for name in section:
        inner = model.model_fields[name].annotation
        assert isinstance(inner, type) and issubclass(inner, Section)
        model = inner
    return list(model.model_fields)
