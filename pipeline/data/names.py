"""Names of columns and keys in messages."""

from collections.abc import Iterable

MOST_LISTED = 20
"""Names that a message lists."""


def listed(names: Iterable[str]) -> str:
    """Names separated by commas: not too many, and without what a terminal would act on."""
    shown = list(names)
    more = f", and {len(shown) - MOST_LISTED:,} more" if len(shown) > MOST_LISTED else ""
    return (", ".join(map(printable, shown[:MOST_LISTED])) or "none") + more


def printable(name: str) -> str:
    """A name with its invisible characters as escapes."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in name)
