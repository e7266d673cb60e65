"""Values from the command line on top of a recipe: `--set key.path=value`."""

from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.recipe.keys import OPTIONAL, PATHS, TEXTS
from pipeline.recipe.paths import resolve
from pipeline.recipe.preset_names import address_of
from pipeline.recipe.yaml_text import read_flow, read_plain

QUOTES = ('"', "'")
FLOW = ("[", "{", *QUOTES)
"""How a value begins that is more than a word in YAML."""


def apply(document: dict[str, Any], override: str) -> None:
    """Put the value of an override into a recipe.

    Args:
        document: of the recipe; it is changed.
        override: `key.path=value`. A relative path starts at the current folder.

    Raises:
        InputError: it has another form, its value is not valid YAML, or the key leads into no section.
    """
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise InputError(f"--set {override}: expected key.path=value, for example --set finetune.rank=16")
    try:
        value = _value(".".join(parts), text.strip())
    except ValueError:
        raise InputError(f"--set {override}: the value is not valid YAML; quote it") from None
    section = document
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise InputError(f"--set {override}: {part} is not a section")
    section[parts[-1]] = value


def _value(key: str, text: str) -> Any:
    """What a value says. It has no comments, and the value of a key that takes text needs no quotes."""
    if key in PATHS:
        value = read_flow(text) if text.startswith(FLOW) else _text(key, text)
        return [_from_here(each) for each in value] if isinstance(value, list) else _from_here(value)
    if key in TEXTS:
        return _text(key, text)
    return read_flow(text) if text.startswith(FLOW) else read_plain(text)


def _text(key: str, text: str) -> Any:
    """The text whole, unless it is quoted as a whole, or null where that is a value."""
    if key in OPTIONAL and read_plain(text) is None:
        return None
    try:
        return read_flow(text) if text.startswith(QUOTES) else text
    except ValueError:
        return text


def _from_here(value: Any) -> Any:
    try:
        return resolve(address_of(value, Path.cwd()), Path.cwd()) if isinstance(value, str) else value
    except ValueError:  # refused with its key when the recipe is checked
        return value
