"""Preparing many examples: time and memory of the stage.

    python benchmarks/prepare.py [--preset PRESET] [--rows 100000]

Writes examples of 20 and 30 random words as JSONL, CSV and Parquet, and prepares each with the tokenizer of
the preset. Writes docs/measurements/prepare.json.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from pipeline.machine import available_cores, describe_machine
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "prepare.json"
WORDS = [word for page in ("README.md", "docs/data.md") for word in (ROOT / page).read_text().split()]


def rows(count: int) -> list[dict[str, str]]:
    """Rows that all differ, with one tag."""
    chosen = random.Random(0)
    words = [word for word in WORDS if word.isalpha()]
    return [
        {
            "prompt": f"{number} {' '.join(chosen.choices(words, k=20))}",
            "response": " ".join(chosen.choices(words, k=30)),
            "kind": str(number % 7),
        }
        for number in range(count)
    ]


def write(path: Path, examples: list[dict[str, str]]) -> None:
    """Write examples in the file type that the suffix says."""
    if path.suffix == ".jsonl":
        lines = (json.dumps(example) + "\n" for example in examples)
        path.write_text("".join(lines), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(examples[0]))
            writer.writeheader()
            writer.writerows(examples)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(examples), path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    examples = rows(options.rows)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        for suffix in ("jsonl", "csv", "parquet"):
            data, recipe = Path(folder) / f"rows.{suffix}", Path(folder) / "recipe.yaml"
            write(data, examples)
            settings = {"name": "rows", "model": {"preset": options.preset}, "data": {"train": str(data)}}
            recipe.write_text(yaml.safe_dump(settings), encoding="utf-8")
            for stage in ("download", "prepare"):  # in processes of their own: memory is a process's peak
                command = [
                    sys.executable,
                    "-m",
                    "pipeline",
                    stage,
                    "--config",
                    str(recipe),
                    "--run",
                    str(run),
                ]
                subprocess.run(command, check=True, cwd=ROOT)
            manifest = json.loads(RunFiles(run).stage("prepare").manifest.read_text(encoding="utf-8"))
            summary = json.loads(RunFiles(run).prepare.summary.read_text(encoding="utf-8"))
            found.append(
                {
                    "type": suffix,
                    "bytes": data.stat().st_size,
                    "tokens": sum(part["whole"]["total"] for part in summary["tokens"].values()),
                    "seconds": manifest["seconds"],
                    "peak_memory_bytes": manifest["peak_memory_bytes"],
                }
            )
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/prepare.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "preset": options.preset,
        "examples": options.rows,
        "rows": found,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
