"""Addresses of data in recipes."""

from collections.abc import Sequence
from pathlib import Path

DATASETS = "hf://datasets/"
"""How the address of a data set on Hugging Face begins."""


def source_name(sources: Sequence[str]) -> str:
    """The name of files or addresses for people: that of the first, and how many others there are."""
    first = sources[0].removeprefix(DATASETS) if sources[0].startswith(DATASETS) else Path(sources[0]).name
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"
