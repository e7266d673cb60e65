"""Which of the columns beside the conversation become tags, by which scores are broken down."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pipeline.data.notes import Notes
from pipeline.data.values import is_blank, normalized

LONGEST = 80
"""Characters of the longest value that still names a group."""
MOST_VALUES = 100
"""Different values of a column that still divide the rows into groups."""
IDENTIFIERS = frozenset(("id", "idx", "index", "unnamed:_0", "__index_level_0__"))
"""Normalized names of columns that number the rows."""
ALL_DIFFERENT = 20
"""From so many rows on, a column in which no value repeats is an identifier."""


def choose_tags(extras: Sequence[dict[str, Any]], notes: Notes) -> list[dict[str, str]]:
    """The tags of each row: its values in the columns that divide the rows into groups.

    Args:
        extras: for each row the values of the columns that are not its conversation.
        notes: receives the columns that became tags, and those that did not, with the reason.
    """
    columns: dict[str, list[Any]] = defaultdict(list)
    for extra in extras:
        for name, value in extra.items():
            if not is_blank(value):
                columns[name].append(value)
    for name, values in columns.items():
        if reason := _unsuitable(name, values):
            notes.unused[name] = reason
        else:
            notes.tags.append(name)
    return [
        {name: str(extra[name]).strip() for name in notes.tags if not is_blank(extra.get(name))}
        for extra in extras
    ]


def _unsuitable(name: str, values: list[Any]) -> str:
    """Why a column is no tag; empty if it is one."""
    if not name:
        return "has no name"
    if normalized(name) in IDENTIFIERS:
        return "numbers of rows"
    for kind, what in ((list, "lists"), (dict, "objects"), (bytes, "binary data")):
        if any(isinstance(value, kind) for value in values):
            return what
    texts = {str(value).strip() for value in values}
    if any(len(text) > LONGEST or "\n" in text for text in texts):
        return "long text"
    try:
        "".join((name, *texts)).encode("utf-8")
    except UnicodeEncodeError:
        return "not valid Unicode"
    if len(texts) > MOST_VALUES or (len(texts) == len(values) >= ALL_DIFFERENT):
        return f"{len(texts):,} different values"
    return ""
