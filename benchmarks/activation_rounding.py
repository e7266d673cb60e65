"""Where quantization changes a model: the weights, or the activations that the runtime rounds to 8 bits.

    python benchmarks/activation_rounding.py RUN --name NAME [--questions N]

RUN is a run folder whose model was converted to integers, for example a Gemma 3 270M fine-tuned on banking77.
Keras computes with the numbers that the file stores, and rounds the inputs of no matrix, of one kind of
matrix, of all, and of all but one or two kinds. Writes docs/measurements/activation_rounding.json.
"""

import argparse
import datetime
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.examples import read_examples
from pipeline.evaluation import in_keras
from pipeline.evaluation.as_stored import EVERY_MATRIX, compute_as_stored
from pipeline.evaluation.conversations import spread
from pipeline.families.names import EMBEDDING, TARGETS
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.matrix_check import find_matrices, read_stored
from pipeline.machine import describe_machine
from pipeline.quantization.schemes import SCHEMES
from pipeline.run.files import RunFiles
from pipeline.run.manifest import read_manifest

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "measurements" / "activation_rounding.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--name", required=True, help="of the model and its training data, for the table")
    options = parser.parse_args()
    use_backend("torch")
    model = Model(RunFiles(options.run), options.questions)
    unrounded = model.logprobs(())
    rows = [model.row("weights alone, before and as stored", model.float_logprobs(), unrounded)]
    rows += [
        model.row(f"inputs of {_title(name)}", unrounded, model.logprobs((name,))) for name in model.products
    ]
    for left_out in ((), ("down",), (EMBEDDING,), ("down", EMBEDDING)):
        chosen = [name for name in model.products if name not in left_out]
        title = "inputs of all" + (f" but {' and '.join(map(_title, left_out))}" if left_out else "")
        rows.append(model.row(title, unrounded, model.logprobs(chosen)))
    document = {
        "command": f"benchmarks/activation_rounding.py --questions {options.questions}",
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine() | {"cores": len(os.sched_getaffinity(0))},
        "model": options.name,
        "recipe": model.recipe,
        "questions": options.questions,
        "tokens": model.tokens,
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _title(name: str) -> str:
    return "the projection onto the vocabulary" if name == EMBEDDING else name


class Model:
    """A converted model, in Keras."""

    def __init__(self, files: RunFiles, questions: int) -> None:
        self.folder, self.file = files.merge.huggingface, files.convert.model
        settings = read_manifest(files.convert.manifest).document["settings"]
        self.recipe: str = settings["recipe"]
        self.examples = spread(read_examples(files.prepare.test), questions)
        tokenizer = Tokenizer.of_preset(self.folder)
        self.tokens = sum(len(tokenizer.response_ids(example.response)) for example in self.examples)
        self.matrices = PresetMatrices(self.folder)
        self.stored = find_matrices(self.file, self.matrices, SCHEMES[self.recipe], settings["rounding"])
        self.products = [name for name in EVERY_MATRIX if name in TARGETS or name in self.stored]

    def logprobs(self, rounded: Collection[str]) -> NDArray[np.float64]:
        """Of the expected answers, with the stored numbers."""
        found, _ = in_keras.stored_logprobs(
            self.folder,
            self.examples,
            lambda model: compute_as_stored(
                model, lambda name: read_stored(self.file, self.stored[name]), rounded_inputs=rounded
            ),
        )
        return np.array(found)

    def float_logprobs(self) -> NDArray[np.float64]:
        """Of the expected answers, with the numbers before quantization."""
        found, _ = in_keras.stored_logprobs(
            self.folder,
            self.examples,
            lambda model: compute_as_stored(model, self.matrices.read, rounded_inputs=()),
        )
        return np.array(found)

    def row(self, what: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
        """Differences in nats per token: mean of the absolute ones, and mean."""
        change = after - before
        found = {
            "rounded": what,
            "mean_absolute": float(np.abs(change).sum()) / self.tokens,
            "mean": float(change.sum()) / self.tokens,
        }
        print(json.dumps(found, ensure_ascii=False), flush=True)
        return found


if __name__ == "__main__":
    main()
