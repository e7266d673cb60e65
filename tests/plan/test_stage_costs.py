"""Promise: the planned memory of a stage is close to what was measured, on models of three sizes."""

import json
from pathlib import Path

import pytest

MEASURED = Path(__file__).parents[2] / "docs" / "measurements" / "plan.json"
ROWS = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
MEMORY, SECONDS = 0.15, 0.25


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}-{row['stage']}")
def test_the_plan_is_close_to_the_measurement(row: dict[str, dict[str, float]]) -> None:
    """The saved plan and measurement; the benchmark writes both."""
    planned, measured = row["planned"], row["measured"]
    assert planned["peak_bytes"] == pytest.approx(measured["peak_bytes"], rel=MEMORY)
    if "seconds" in planned:
        assert planned["seconds"] == pytest.approx(measured["seconds"], rel=SECONDS)
