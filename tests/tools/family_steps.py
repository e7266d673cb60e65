"""What each Gemma family does in each step of the pipeline, recorded from runs.

    python -m tests.tools.family_steps --work DIR [--only NAME …]

Makes a preset of each supported family in each form, with random weights and the family's architecture
scaled down, and runs the pipeline on it to the APK: merged, and with a run-time adapter; then converts it
again, which grafts. Writes docs/measurements/families.json, for the table in docs/families.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.families.registry import supported_families
from pipeline.machine import describe_machine
from pipeline.run.files import RunFiles
from tests.support.demo_run import ROOT
from tests.support.random_presets import (
    environment,
    read_json,
    write_keras_preset,
    write_recipe,
    write_transformers_folder,
)

OUTPUT = ROOT / "docs" / "measurements" / "families.json"
WRITERS = {"keras": write_keras_preset, "transformers": write_transformers_folder}
MERGED = ("download", "finetune", "merge", "convert", "verify", "bundle")
ADAPTER_TARGETS = "finetune.targets=[query, key, value, output]"


def steps(family: str, form: str, work: Path) -> dict[str, Any]:
    """Run everything for one family in one form."""
    folder = work / f"{family}-{form}"
    preset = folder / "preset"
    if not (preset / "config.json").exists():
        WRITERS[form](family, preset)
    recipe = write_recipe(folder, preset)
    found: dict[str, Any] = {"family": family, "form": form, "steps": {}}
    run = folder / "run"
    for stage in MERGED:
        found["steps"][stage] = _stage(stage, recipe, run, work)
    again = _stage("convert", recipe, run, work, "finetune.seed=1", "convert.rounding=nearest")
    found["steps"]["graft"] = again | {"method": _details(run, "convert").get("method")}
    settings = ("convert.adapters=runtime", ADAPTER_TARGETS)
    found["steps"]["run-time adapter"] = _stage("verify", recipe, folder / "run-adapter", work, *settings)
    return found


def _stage(stage: str, recipe: Path, run: Path, work: Path, *settings: str) -> dict[str, Any]:
    """Run a stage and those before it; what it found, or the sentence with which it refused."""
    options = [part for setting in settings for part in ("--set", setting)]
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "pipeline", stage, "--config", str(recipe), "--run", str(run), *options],
        cwd=ROOT,
        env=environment() | {"POCKETGEMMA_CACHE": str(work / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    print(f"{run.parent.name} {stage}: exit code {result.returncode}, {seconds:.0f} s", flush=True)
    if result.returncode:
        sentence = next((line for line in result.stderr.splitlines() if line.startswith("error:")), "error")
        return {"passed": False, "reason": re.sub(r"/\S+/", "", sentence.removeprefix("error: "))}
    return {"passed": True, **_figures(stage, run)}


def _figures(stage: str, run: Path) -> dict[str, Any]:
    details = _details(run, stage)
    if stage == "merge":
        return {"logit_noise": round(details["logit_noise"], 2), "matrices": details["matrices"]}
    if stage == "verify":
        report = read_json(RunFiles(run).verify.report)
        return {
            "runtime_noise": round(details["runtime_noise"], 2),
            "same_answers": round(report["same_answers"], 3),
            "questions": details["questions"],
        }
    return {}


def _details(run: Path, stage: str) -> dict[str, Any]:
    path = RunFiles(run).stage(stage).manifest
    return dict(read_json(path)["details"]) if path.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", help="families; all if not given")
    options = parser.parse_args()
    document = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {"rows": []}
    rows = {(row["family"], row["form"]): row for row in document["rows"]}
    for family in supported_families():
        for form in WRITERS:
            if not options.only or family.name in options.only:
                rows[family.name, form] = steps(family.name, form, options.work.resolve())
                _write([rows[key] for key in sorted(rows)])


def _write(rows: list[dict[str, Any]]) -> None:
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python -m tests.tools.family_steps --work DIR",
        "machine": describe_machine() | {"cores": len(os.sched_getaffinity(0))},
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
