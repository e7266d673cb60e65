"""Reading a recipe: a YAML file, and values from the command line on top of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import InputError
from pipeline.recipe.errors import explain
from pipeline.recipe.overrides import apply
from pipeline.recipe.schema import Config
from pipeline.recipe.yaml_text import read_document


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a recipe and apply `key.path=value` overrides; values are read as YAML.

    Relative paths in the recipe start at its folder, those in overrides at the current folder.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown or a value is unusable; names the file
            and the key.
    """
    document = _read(path)
    for override in overrides:
        apply(document, override)
    try:
        return Config.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise InputError(explain(path, error, document)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = read_document(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe; the included recipes are in configs/") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: expected sections such as 'model:' and 'data:', found a {type(document).__name__}"
        )
    return document
