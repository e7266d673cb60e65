"""Addresses of data in recipes."""

import re
from collections.abc import Sequence
from pathlib import Path

DATASETS = "hf://datasets/"
"""How the address of a data set on Hugging Face begins."""


def path_name(path: str) -> str:
    """The name of a file or folder without its path; of a pattern, such as `*.jsonl`, with that of its
    folder."""
    named = Path(path)
    return f"{named.parent.name}/{named.name}" if re.search(r"[*?\[]", named.name) else named.name


def source_name(sources: Sequence[str]) -> str:
    """The name of files or addresses for people: that of the first, and how many others there are."""
    first = sources[0].removeprefix(DATASETS) if sources[0].startswith(DATASETS) else path_name(sources[0])
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"
