"""Small recipes for tests, and what is said about unusable ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.recipe.reading import load_config

SMALL = {"name": "small", "data": {"train": "train.jsonl"}}
"""The least that a recipe must contain."""


def recipe(folder: Path, document: Any) -> Path:
    """Write a recipe: a document, or its text."""
    path = folder / "recipe.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return path


def refused(folder: Path, document: Any, *overrides: str) -> str:
    """The error message of an unusable recipe."""
    path = recipe(folder, document)
    with pytest.raises(InputError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)
