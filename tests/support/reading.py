"""Reading a file of examples in tests."""

from pathlib import Path
from typing import Any

from pipeline.data.faults import Faults
from pipeline.data.readers import read_rows


def faults_of(path: Path) -> list[str]:
    faults = Faults()
    read_rows(path, faults)
    return [f"{place}: {what}" for place, what in faults.found]


def rows_of(path: Path, encoding: str | None = None) -> list[dict[str, Any]]:
    faults = Faults()
    rows = [row.values for row in read_rows(path, faults, encoding)]
    assert not faults.found
    return rows
