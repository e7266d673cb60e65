"""Faults in the examples: all of them are collected, then reported once, alike ones together."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.errors import InputError

SHOWN = 20
"""How many different faults are listed; the count covers all."""

VARYING = re.compile(
    r"'[^']*'|\"[^\"]*\""
    r"|['\"\[{].*?(?=[;,] expected|$)"
    r"|-?\d[\d,.]*(?:e[+-]?\d+)?|\b(?:true|false|Infinity)\b"
)
"""What may differ between faults of one kind: quoted values, also those that are cut off, and numbers."""


@dataclass(frozen=True)
class Place:
    """Where a row is: file and line (or row), counted from 1; 0 stands for the whole file."""

    file: Path
    number: int = 0
    unit: Literal["line", "row"] = "line"

    def __str__(self) -> str:
        return f"{self.file.name} {self.unit} {self.number}" if self.number else self.file.name


@dataclass
class Faults:
    """Faults, each with its place."""

    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, place: Place, what: str) -> None:
        self.found.append((place, what))

    def raise_if_any(self) -> None:
        """Report all faults at once, in the order of files and rows; alike ones of a file as one.

        Raises:
            InputError: there is at least one; the first SHOWN different ones are listed.
        """
        if not self.found:
            return
        files = list(dict.fromkeys(place.file for place, _ in self.found))
        ordered = sorted(self.found, key=lambda fault: (files.index(fault[0].file), fault[0].number))
        kinds: dict[tuple[Path, str], list[tuple[Place, str]]] = defaultdict(list)
        for place, what in ordered:
            kinds[place.file, VARYING.sub("", what)].append((place, what))
        lines = [f"  {_describe(alike)}" for alike in list(kinds.values())[:SHOWN]]
        if len(kinds) > SHOWN:
            lines.append(f"  … and {sum(map(len, list(kinds.values())[SHOWN:])):,} more")
        count = "1 fault" if len(ordered) == 1 else f"{len(ordered):,} faults"
        raise InputError("\n".join([f"{count} in the examples; nothing was written:", *lines]))


def _describe(alike: list[tuple[Place, str]]) -> str:
    """Faults of one kind in one line: the first in full, and how many others there are, and where."""
    (place, what), *others = alike
    if not others:
        return f"{place}: {what}"
    numbers = ", ".join(str(other.number) for other, _ in others[:3])
    more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
    return f"{place}: {what} (also {place.unit}{'s' * (len(others) > 1)} {numbers}{more})"
