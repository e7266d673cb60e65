"""Training steps in the shapes of larger Gemmas: tokens per second and peak memory.

    python benchmarks/train_shapes.py --data FOLDER [--steps 3]

FOLDER holds train.csv of banking77 (Casanueva et al. 2020, arXiv:2003.04807). The models have random weights
(benchmarks/shapes.py), so their answers are noise; time and memory are those of the real model. Each training
runs in a process of its own; the first step warms up. Writes docs/measurements/train_shapes.json.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from shapes import SHAPES, write_folder
from train import BATCH, LEARNING_RATE, RANK
from train_data import short_answers
from train_process import OutOfMemory, in_own_process

from pipeline.machine import available_cores, describe_machine

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "train_shapes.json"

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "1b": [
        {"dtype": "float32", "micro_batch": 4},
        {"dtype": "bfloat16", "micro_batch": 4},
        {"dtype": "bfloat16", "micro_batch": 4, "quantize_base": "int4"},
    ],
    "4b": [
        {"dtype": "bfloat16", "micro_batch": 4, "quantize_base": "int8"},
        {"dtype": "bfloat16", "micro_batch": 4, "quantize_base": "int4"},
    ],
}
"""Settings of each training by shape; micro-batches keep the activations small."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    document: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/train_shapes.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "batch": BATCH,
        "rank": RANK,
        "steps": options.steps,
        "rows": [],
    }
    for shape, variants in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            write_folder(SHAPES[shape], Path(folder), "bfloat16", 0)
            request = {
                "preset": folder,
                "batch": BATCH,
                "steps": options.steps,
                "rank": RANK,
                "learning_rate": LEARNING_RATE,
                "rows": short_answers(options.data / "train.csv", BATCH * options.steps),
            }
            for variant in variants:
                entry: dict[str, Any] = {"shape": shape, "parameters": SHAPES[shape].parameters, **variant}
                try:
                    entry |= in_own_process(sys.executable, "train.py", request | variant)
                except OutOfMemory:
                    entry["out_of_memory"] = True
                print(json.dumps(entry), flush=True)
                document["rows"].append(entry)
                # A run that is stopped keeps what it has measured.
                OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
