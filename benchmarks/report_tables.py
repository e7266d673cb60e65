"""Pieces of docs/measurements.md that several sections have."""

from collections.abc import Iterable
from typing import Any


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def source(document: dict[str, Any], machine: dict[str, Any]) -> str:
    cores = f"{machine['cores']} core{'s' * (machine['cores'] != 1)}"
    gpu = f"{machine['gpu']}, " if "gpu" in machine else ""
    return (
        f"`{document['command']}`, {document['date']}, {gpu}{machine['processor']}, {cores}, "
        f"{machine['system']}."
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """A table with the first column left-aligned and the others right-aligned."""
    return [row(*head), row("---", *("---:" for _ in head[1:])), *(row(*cells) for cells in rows), ""]
