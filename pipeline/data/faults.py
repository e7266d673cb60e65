"""Faults in the examples: all of them are collected, then reported once."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError

SHOWN = 20
"""How many faults are listed; the count covers all."""


@dataclass(frozen=True)
class Place:
    """Where a row is: file and line (JSONL, CSV) or row (Parquet), counted from 1; 0 stands for the whole
    file."""

    file: Path
    number: int = 0

    def __str__(self) -> str:
        if not self.number:
            return self.file.name
        unit = "row" if self.file.suffix == ".parquet" else "line"
        return f"{self.file.name} {unit} {self.number}"


@dataclass
class Faults:
    """Faults, each with its place."""

    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, place: Place, what: str) -> None:
        self.found.append((place, what))

    def raise_if_any(self) -> None:
        """Report all faults at once, in the order of files and rows.

        Raises:
            InputError: there is at least one; the first SHOWN are listed.
        """
        if not self.found:
            return
        files = list(dict.fromkeys(place.file for place, _ in self.found))
        ordered = sorted(self.found, key=lambda fault: (files.index(fault[0].file), fault[0].number))
        lines = [f"  {place}: {what}" for place, what in ordered[:SHOWN]]
        if len(ordered) > SHOWN:
            lines.append(f"  … and {len(ordered) - SHOWN} more")
        count = "1 fault" if len(ordered) == 1 else f"{len(ordered)} faults"
        raise InputError("\n".join([f"{count} in the examples; nothing was written:", *lines]))
