"""Rows as they are in a file, before anything is known about their columns."""

from dataclasses import dataclass
from typing import Any

from pipeline.data.faults import Place


@dataclass(frozen=True)
class Row:
    """One row as it is in the file: column name to value."""

    place: Place
    values: dict[str, Any]
