"""Compare the runtime's answers from .litertlm and .task files for every quantization recipe.

    python benchmarks/formats.py --folder FOLDER [--recipe NAME ...]

Converts the demo's base with each recipe (files are kept in FOLDER, so you can run the script for a few
recipes at a time) and asks both files questions of the demo. Compares model and tokenizer byte for byte,
token ids of conversations, greedy answers, and the log-probability of the expected answers. Writes
docs/measurements/formats.json; recipes measured earlier stay in it.
"""

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.data.examples import Example

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
OUTPUT = ROOT / "docs" / "measurements" / "formats.json"
DEMO = ROOT / "pipeline" / "demo"
QUESTIONS = 200
CONTEXT, PREFILL, MAX_NEW_TOKENS = 512, (64,), 32


def convert(folder: Path, recipe: str) -> tuple[Path, Path]:
    """Both files of a recipe."""
    from pipeline.gemma.causal_lm import load_causal_lm
    from pipeline.gemma.hugging_face import write_hugging_face
    from pipeline.gemma.tokenizer import Tokenizer
    from pipeline.litert.convert.export import export_litertlm
    from pipeline.litert.convert.task_writer import write_task
    from pipeline.litert.model_spec import ModelSpec

    model, task = folder / f"{recipe}.litertlm", folder / f"{recipe}.task"
    if not model.exists():
        source = folder / "huggingface"
        if not source.exists():
            write_hugging_face(load_causal_lm(DEMO / "base"), Tokenizer.of_preset(DEMO / "base"), source)
        spec = ModelSpec(recipe, PREFILL, CONTEXT, 0.0, 64, 0.95, "the demo's base")
        export_litertlm(source, model, spec, folder / "convert.log")
    write_task(model, task, folder / "task.log")
    return model, task


def questions() -> "list[Example]":
    """Questions that the demo's base can answer."""
    from pipeline.data.examples import Example

    lines = (DEMO / "science" / "skills.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        Example(
            ({"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["response"]})
        )
        for row in rows
    ]


def compare(folder: Path, recipe: str) -> dict[str, Any]:
    """Compare both files of a recipe."""
    from pipeline.evaluation.conversations import spread
    from pipeline.evaluation.in_runtime import answer_all
    from pipeline.formats.task import different_entries
    from pipeline.litert.convert.task_writer import write_task
    from pipeline.litert.runtime.engine import Runtime

    model, task = convert(folder, recipe)
    again = folder / "again.task"
    write_task(model, again, folder / "task.log")
    same_bytes = again.read_bytes() == task.read_bytes()
    again.unlink()
    examples = spread(questions(), QUESTIONS)
    conversations = [example.messages[:-1] for example in examples]
    # Two questions and the first one's answer: a conversation with a history.
    conversations += [
        (*before.messages, *after.messages[:-1]) for before, after in itertools.pairwise(examples)
    ]
    with Runtime(model) as first, Runtime(task) as second:
        one, other = (answer_all(each, examples, max_new_tokens=MAX_NEW_TOKENS) for each in (first, second))
        ids = sum(first.token_ids(turns) == second.token_ids(turns) for turns in conversations)
        stops = first.stop_ids == second.stop_ids and first.start_id == second.start_id
    row = {
        "recipe": recipe,
        "litertlm_bytes": model.stat().st_size,
        "task_bytes": task.stat().st_size,
        "different_entries": different_entries(task, model),
        "bundled_twice_gives_equal_bytes": same_bytes,
        "same_start_and_stop_ids": stops,
        "conversations": len(conversations),
        "conversations_with_the_same_token_ids": ids,
        "questions": len(examples),
        "same_greedy_answers": sum(a.text == b.text for a, b in zip(one, other, strict=True)),
        "largest_logprob_difference_per_token": max(
            abs(a.logprob - b.logprob) / a.tokens for a, b in zip(one, other, strict=True)
        ),
        "exact_match_percent": round(100 * sum(a.correct for a in one) / len(one), 1),
    }
    print(row, flush=True)
    return row


def main() -> None:
    from pipeline.machine import describe_machine, package_versions
    from pipeline.quantization.schemes import SCHEMES

    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="folder for converted models")
    parser.add_argument("--recipe", action="append", choices=list(SCHEMES), help="default: all recipes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = json.loads(OUTPUT.read_text(encoding="utf-8"))["rows"] if OUTPUT.exists() else []
    for recipe in options.recipe or SCHEMES:
        rows = [row for row in rows if row["recipe"] != recipe] + [compare(options.folder, recipe)]
        rows.sort(key=lambda row: list(SCHEMES).index(row["recipe"]))
        document = {
            "date": time.strftime("%Y-%m-%d"),
            "command": "python benchmarks/formats.py --folder FOLDER",
            "machine": describe_machine() | {"cores": os.cpu_count()},
            "packages": package_versions(),
            "rows": rows,
        }
        OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
