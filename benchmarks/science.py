"""Accuracy of the demo on every test question for several seeds: base, fine-tuned in Keras, converted in
LiteRT-LM.

    python benchmarks/science.py --seeds 0 1 2

Runs the pipeline with `configs/science.yaml` for each seed (in runs/science-seed<N>), then answers all
questions of the test set and of the skill test (kinds of question that the base can answer) with greedy
decoding. Writes docs/measurements/science.json.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
SCIENCE = ROOT / "pipeline" / "demo" / "science"
OUTPUT = ROOT / "docs" / "measurements" / "science.json"
SETS = ("test", "skills")


def pocketgemma(*arguments: str) -> float:
    """Run a command; returns its wall time in seconds, including Python's start-up and imports."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pipeline", *arguments]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
    return time.monotonic() - started


def evaluate(run: Path, data: str, side: str, *, base: bool = False) -> dict[str, Any]:
    """Exact match in percent of one model on one set, overall and by phrasing."""
    answers = run / f"answers-{data}-{'base' if base else side}.jsonl"
    arguments = [
        "eval",
        "--run",
        str(run),
        "--data",
        str(SCIENCE / f"{data}.jsonl"),
        "--on",
        side,
        "--answers",
        str(answers),
    ]
    pocketgemma(*arguments, *(["--base"] if base else []))
    rows = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    scores: dict[str, Any] = {"questions": len(rows), "exact_match": percent(rows)}
    for phrasing in sorted({row["tags"]["phrasing"] for row in rows}):
        scores[phrasing] = percent([row for row in rows if row["tags"]["phrasing"] == phrasing])
    scores["not_stopped"] = sum(not row["stopped"] for row in rows)
    scores["markers_shown"] = sum("_of_turn" in row["text"] for row in rows)
    return scores


def percent(rows: list[dict[str, Any]]) -> float:
    right: int = sum(row["correct"] for row in rows)
    return round(100 * right / len(rows), 2)


def measure(seed: int) -> dict[str, Any]:
    """One seed, from the examples to the converted model."""
    run = ROOT / "runs" / f"science-seed{seed}"
    common = ("--run", str(run), "--set", f"finetune.seed={seed}")
    pocketgemma("prepare", *common)
    finetune_command = pocketgemma("finetune", *common, "--force")
    pocketgemma("verify", *common)
    manifests = {
        stage: json.loads(RunFiles(run).stage(stage).manifest.read_text(encoding="utf-8"))
        for stage in ("finetune", "merge", "convert", "verify")
    }
    return {
        "seed": seed,
        "finetune_command_seconds": round(finetune_command, 1),
        "stage_seconds": {stage: manifest["seconds"] for stage, manifest in manifests.items()},
        "finetune": manifests["finetune"]["details"],
        "merge": manifests["merge"]["details"],
        "converted_bytes": RunFiles(run).convert.model.stat().st_size,
        "base": {data: evaluate(run, data, "keras", base=True) for data in SETS} if seed == 0 else None,
        "keras": {data: evaluate(run, data, "keras") for data in SETS},
        "runtime": {data: evaluate(run, data, "runtime") for data in SETS},
        "machine": manifests["finetune"]["machine"] | {"cores": os.cpu_count()},
        "packages": manifests["verify"]["packages"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        results.append(measure(seed))
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "date": time.strftime("%Y-%m-%d"),
            "command": "python benchmarks/science.py",
            "seeds": results,
        }
        OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
