"""GPTQ in the shapes of real Gemmas with random weights: time and memory.

    python benchmarks/calibration.py 270m 1b [--recipe RECIPE] [--folder DIR]

Rounds a Hugging Face folder in float32, as merging writes it, in the process that `convert` uses, with as
many tokens of examples as `convert` takes for the shape. The examples are random tokens. Writes
docs/measurements/calibration.json.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from shapes import SHAPES, write_folder

from pipeline.data.tokenize import EncodedExample, EncodedExamples
from pipeline.families.family import GemmaShape
from pipeline.machine import available_cores, describe_machine
from pipeline.quantization.calibration import EXAMPLES, quantize_calibrated

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "calibration.json"
LENGTHS = (16, 128)
"""Tokens of an example, from and up to."""


def random_examples(shape: GemmaShape) -> EncodedExamples:
    """More examples than are drawn."""
    random = np.random.default_rng(0)
    return EncodedExamples(
        tuple(
            EncodedExample(
                random.integers(8, shape.vocabulary, length, np.int32), np.arange(length) >= length // 2
            )
            for length in random.integers(*LENGTHS, 2 * EXAMPLES)
        ),
        0,
    )


def measure(name: str, recipe: str, folder: Path) -> dict[str, Any]:
    """Round the model of one shape."""
    shape = SHAPES[name]
    model = folder / name
    if not (model / "config.json").exists():
        write_folder(shape, model, "float32", seed=0)
    output = folder / f"{name}.rounded"
    facts = quantize_calibrated(model, random_examples(shape), recipe, "gptq", output, folder / f"{name}.log")
    row = {"shape": name, "parameters": shape.parameters, "rounded_bytes": output.stat().st_size} | facts
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="+", choices=list(SHAPES))
    parser.add_argument("--recipe", default="int4_block32_embedding_int8")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [measure(name, options.recipe, folder) for name in options.shapes]
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/calibration.py",
        "machine": describe_machine() | {"cores": available_cores()},
        "recipe": options.recipe,
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
