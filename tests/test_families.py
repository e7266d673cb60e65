"""Promise: each supported family goes from a preset to a model file with which the runtime answers as Keras
does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.families.registry import supported_families
from tests.support.demo_run import ROOT
from tests.support.random_presets import (
    environment,
    read_json,
    write_keras_preset,
    write_recipe,
    write_transformers_folder,
)

WRITERS = {"keras": write_keras_preset, "transformers": write_transformers_folder}
CASES = {
    "gemma": "transformers",
    "gemma2": "keras",
    "functiongemma": "keras",
    "gemma4": "transformers",
    "vaultgemma": "transformers",
    # Gemma 3 is what the demo is.
}
"""A form of preset for each family; `tests.tools.family_steps` runs all of both."""


def test_every_supported_family_is_run() -> None:
    assert {*CASES, "gemma3"} == {family.name for family in supported_families()}


@pytest.mark.slow
@pytest.mark.parametrize(("family", "form"), CASES.items(), ids=CASES)
def test_the_runtime_answers_as_keras_does(family: str, form: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, WRITERS[form](family, tmp_path / "preset"))
    command = [sys.executable, "-m", "pipeline", "verify", "--config", str(recipe)]
    result = subprocess.run(
        [*command, "--run", str(tmp_path / "run")],
        cwd=ROOT,
        env=environment() | {"POCKETGEMMA_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
    merged, verified = (details(tmp_path / "run", stage) for stage in ("merge", "verify"))
    assert details(tmp_path / "run", "download")["family"] == family
    assert 0.2 < merged["logit_noise"] < 5
    assert verified["questions"] == 12
    agreement = read_json(tmp_path / "run/verify/report.json")["agreement"]
    # The runtime and Keras compute separately.
    assert agreement["difference"] > 0
    # An answer in which a value crosses a rounding boundary outweighs all others, in the difference or in the
    # rounding: with all answers, or without the two that differ most, as the check decides.
    both = (agreement, agreement["others"])
    assert min(each["difference"] / each["rounding"] for each in both) < 3


def details(run: Path, stage: str) -> dict[str, Any]:
    return dict(read_json(run / stage / "manifest.json")["details"])
