"""What `pocketgemma plan` says, beside what the stages take: the demo, a real Gemma 3 270M, and the shape of
a 1B.

    python benchmarks/plan.py --preset FOLDER --data FOLDER [--models demo 270m 1b]

--preset is a Hugging Face folder of Gemma 3 270M, such as runs/NAME/download/preset; --data holds train.csv
and test.csv of banking77 (Casanueva et al. 2020, arXiv:2003.04807). Each stage runs in a process of its own,
as `make` runs it. The 1B has random weights (benchmarks/shapes.py), so no check of its answers could pass: it
is not verified. Run it on a quiet machine. Writes docs/measurements/plan.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from shapes import SHAPES, write_folder
from train_data import short_answers

from pipeline.commands.plan.reading import read
from pipeline.machine import available_cores, describe_machine
from pipeline.plan.stage_costs import stage_costs
from pipeline.plan.training_memory import training_memory
from pipeline.plan.training_time import measured_time
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.reading import load_config
from pipeline.run.files import RunFiles
from pipeline.tuning.devices import choose_compute

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "plan.json"
STAGES = ("finetune", "merge", "convert", "verify")
ROWS = {"270m": 2000, "1b": 160}
"""Training questions."""

LIMIT = {"max_length": 128, "too_long": "drop"}
"""In the `data` section. The random 1B has the demo's tokenizer, which makes more tokens of a question."""


def recipe(model: str, folder: Path, preset: Path, data: Path) -> Path:
    """The recipe of a model."""
    if model == "demo":
        return ROOT / "configs" / "science.yaml"
    for name, count in {"train": ROWS[model], "test": 40}.items():
        rows = [json.dumps(row) + "\n" for row in short_answers(data / f"{name}.csv", count)]
        (folder / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
    document = {
        "name": f"plan-{model}",
        "model": {"preset": str(preset)},
        "data": LIMIT | {"train": "train.jsonl", "test": "test.jsonl", "validation_share": 0.05},
        "finetune": {"epochs": 1, "batch_size": 16},
        "convert": {"prefill_lengths": [64], "context_length": 256},
        # So few questions decide nothing about accuracy.
        "verify": {"accept_undecided": True},
        "bundle": {"base": False},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def planned(path: Path, run: Path, seconds: float | None) -> dict[str, dict[str, float]]:
    """Bytes and seconds by stage, as the plan says them; the seconds of training are measured if None."""
    config = load_config(path, [])
    found = read(config, run)
    backend = choose_compute(config.finetune.backend, config.finetune.dtype, 0).backend
    if seconds is None:
        seconds = measured_time(found.preset, found.work, backend).seconds[0]
    memory = training_memory(found.work, accelerator=False).total
    costs = stage_costs(found.shape, SCHEMES[config.convert.recipe], found.tokenizer_bytes)
    return {"finetune": {"peak_bytes": memory, "seconds": seconds}} | {
        name: {"peak_bytes": cost.memory} for name, cost in costs.items() if cost.memory
    }


def measured(stage: str, path: Path, run: Path) -> dict[str, float] | None:
    """Bytes and seconds of a stage; None if it failed."""
    command = [sys.executable, "-m", "pipeline", stage, "--config", str(path), "--run", str(run)]
    if subprocess.run(command, cwd=ROOT).returncode:
        return None
    manifest = json.loads(RunFiles(run).stage(stage).manifest.read_text(encoding="utf-8"))
    inner = manifest["details"].get("peak_memory_bytes", 0)  # of the converter's process
    return {"peak_bytes": max(manifest["peak_memory_bytes"], inner), "seconds": manifest["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--replan", action="store_true", help="only compute the planned memory again; keep the rest"
    )
    parser.add_argument(
        "--stages", nargs="+", choices=STAGES, default=STAGES, help="measure only these, after the others"
    )
    parser.add_argument("--models", nargs="+", choices=("demo", *ROWS), default=["demo", *ROWS])
    options = parser.parse_args()
    old = json.loads(OUTPUT.read_text(encoding="utf-8"))["rows"] if OUTPUT.exists() else []
    document: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/plan.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "rows": [entry for entry in old if entry["model"] not in options.models],
    }
    for model in options.models:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            preset = options.preset.resolve()
            if model == "1b":
                preset = folder / "preset"
                write_folder(SHAPES[model], preset, "bfloat16", 0)
            path = recipe(model, folder, preset, options.data)
            run = folder / "run"
            subprocess.run(
                [sys.executable, "-m", "pipeline", "prepare", "--config", str(path), "--run", str(run)],
                cwd=ROOT,
                check=True,
            )
            known = [e["planned"]["seconds"] for e in old if (e["model"], e["stage"]) == (model, "finetune")]
            plan = planned(path, run, known[0] if options.replan and known else None)
            for stage in STAGES[: 3 if model == "1b" else None]:
                before = next((e for e in old if (e["model"], e["stage"]) == (model, stage)), None)
                keep = options.replan or stage not in options.stages
                if options.replan and before is None:
                    continue
                found = None if options.replan else measured(stage, path, run)
                found = before["measured"] if keep and before else found
                entry = {"model": model, "stage": stage, "planned": plan[stage], "measured": found}
                print(json.dumps(entry), flush=True)
                document["rows"].append(entry)
                # A run that is stopped keeps what it has measured.
                OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
