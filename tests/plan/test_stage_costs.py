"""Promise: the planned memory is close to what was measured, on models of three sizes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.families.registry import read_shape
from pipeline.plan.stage_costs import stage_costs
from pipeline.quantization.schemes import SCHEMES
from tests.support.finished_run import DEMO

MEASURED = Path(__file__).parents[2] / "docs" / "measurements" / "plan.json"
ROWS = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
MEMORY, SECONDS = 0.15, 0.25

GEMMA = {"query_heads": 4, "kv_heads": 1, "head_dim": 256, "vocabulary": 262144}
SIZES: dict[str, dict[str, Any]] = {
    "demo": {},
    "270m": GEMMA | {"layers": 18, "hidden": 640, "ffn": 2048},
    "1b": GEMMA | {"layers": 26, "hidden": 1152, "ffn": 6912},
}


def rows(*, training: bool) -> list[dict[str, Any]]:
    return [row for row in ROWS if (row["stage"] == "finetune") == training]


@pytest.mark.parametrize("row", rows(training=False), ids=lambda row: f"{row['model']}-{row['stage']}")
def test_stages_after_training(row: dict[str, Any]) -> None:
    shape = replace(read_shape(DEMO / "base"), **SIZES[row["model"]])
    planned = stage_costs(shape, SCHEMES["int8"], 0)[row["stage"]].memory
    assert planned == pytest.approx(row["measured"]["peak_bytes"], rel=MEMORY)


@pytest.mark.parametrize("row", rows(training=True), ids=lambda row: row["model"])
def test_what_the_documentation_says_of_training(row: dict[str, Any]) -> None:
    planned, measured = row["planned"], row["measured"]
    assert planned["peak_bytes"] == pytest.approx(measured["peak_bytes"], rel=MEMORY)
    assert planned["seconds"] == pytest.approx(measured["seconds"], rel=SECONDS)
