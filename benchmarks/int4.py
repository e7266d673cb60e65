"""Accuracy of int4: exact match and perplexity in LiteRT-LM for each quantization recipe, rounding and
training mode.

    python benchmarks/larger_base.py     (once, for the model "larger")
    python benchmarks/int4.py [--models demo larger] [--variants int4 …]

Fine-tunes both models with and without quantization-aware training, converts them with each recipe, and asks
all 2,268 questions of the demo's test set in the runtime. Each file is compared with the fp32 file of the
same model, question by question. Answers are cached in runs/int4/, so an interrupted benchmark continues
where it stopped. Writes docs/measurements/int4.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation.answers import Answer, score
from pipeline.evaluation.paired import paired_difference
from pipeline.run.files import RunFiles

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "runs" / "int4"
TEST = ROOT / "pipeline" / "demo" / "science" / "test.jsonl"
OUTPUT = ROOT / "docs" / "measurements" / "int4.json"
REFERENCE = "fp32"

MODELS: dict[str, tuple[str, ...]] = {
    "demo": (),
    "larger": (
        f"model.preset={ROOT / 'runs' / 'larger-base' / 'preset'}",
        "finetune.learning_rate=0.0015",
        "finetune.epochs=1",
    ),
}
"""Settings on top of configs/science.yaml."""


@dataclass(frozen=True)
class Variant:
    """One file: its recipe, its rounding, and whether training was quantization-aware."""

    recipe: str
    rounding: str = "nearest"
    aware: bool = False


VARIANTS = {
    "fp32": Variant("fp32"),
    "int8": Variant("int8"),
    "int4": Variant("int4"),
    "int4 least squares": Variant("int4", "least_squares"),
    "int4 GPTQ": Variant("int4", "gptq"),
    "int4 embedding int8 GPTQ": Variant("int4_embedding_int8", "gptq"),
    "int4 block 32": Variant("int4_block32"),
    "int4 quantization-aware": Variant("int4", aware=True),
    "int4 embedding int8 quantization-aware": Variant("int4_embedding_int8", aware=True),
}


def pocketgemma(*arguments: str) -> float:
    """Run a command; returns its wall time in seconds, including Python's start-up and imports."""
    started = time.monotonic()
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], check=True, cwd=ROOT, env=environment)
    return time.monotonic() - started


def measure(model: str, name: str) -> None:
    """Fine-tune if needed, convert, ask; writes the answers and the facts of the stages to WORK."""
    variant, answers = VARIANTS[name], answers_path(model, name)
    run = WORK / (f"{model}-{variant.recipe}-aware" if variant.aware else model)
    settings = (*MODELS[model], f"convert.recipe={variant.recipe}", f"convert.rounding={variant.rounding}")
    settings += ("finetune.quantization_aware=true",) if variant.aware else ()
    options = ("--run", str(run), *(part for setting in settings for part in ("--set", setting)))
    pocketgemma("convert", *options)
    written = answers.with_suffix(".new")
    pocketgemma("eval", *options, "--data", str(TEST), "--answers", str(written))
    manifests = {
        stage: json.loads(RunFiles(run).stage(stage).manifest.read_text(encoding="utf-8"))
        for stage in ("download", "finetune", "convert")
    }
    facts = {
        "bytes": RunFiles(run).convert.model.stat().st_size,
        "parameters": manifests["download"]["details"]["parameters"],
        "finetune_seconds": manifests["finetune"]["seconds"],
        "convert_seconds": manifests["convert"]["seconds"],
        "finetune": manifests["finetune"]["details"],
        "machine": manifests["convert"]["machine"] | {"cores": os.cpu_count()},
        "packages": manifests["convert"]["packages"],
    }
    answers.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    shutil.move(written, answers)


def answers_path(model: str, name: str) -> Path:
    return WORK / f"answers-{model}" / f"{name.replace(' ', '-')}.jsonl"


def read_answers(path: Path) -> list[Answer]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Answer(**{key: value for key, value in row.items() if key != "correct"}) for row in rows]


def summary(model: str, name: str) -> dict[str, Any]:
    """One row: size, scores, and the paired difference to the fp32 file."""
    path = answers_path(model, name)
    answers = read_answers(path)
    scores, facts = score(answers), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    row = {
        "variant": name,
        **asdict(VARIANTS[name]),
        "bytes": facts["bytes"],
        "questions": scores.count,
        "exact_match": round(scores.exact_match, 2),
        "perplexity": round(scores.perplexity, 4),
        "not_stopped": sum(not answer.stopped for answer in answers),
        "finetune_seconds": facts["finetune_seconds"],
        "convert_seconds": facts["convert_seconds"],
    }
    reference = answers_path(model, REFERENCE)
    if reference.exists():
        difference = asdict(paired_difference(answers, read_answers(reference)))
        row["difference_to_fp32"] = {key: round(value, 3) for key, value in difference.items()}
    return row


def write_results() -> None:
    done = {
        model: [name for name in VARIANTS if answers_path(model, name).exists()]
        for model in MODELS
        if any(answers_path(model, name).exists() for name in VARIANTS)
    }
    model, names = next(iter(done.items()))
    facts = json.loads(answers_path(model, names[0]).with_suffix(".json").read_text(encoding="utf-8"))
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/int4.py",
        "machine": facts["machine"],
        "packages": facts["packages"],
        "models": [
            {
                "model": model,
                "parameters": parameters(model, names[0]),
                "rows": [summary(model, name) for name in names],
            }
            for model, names in done.items()
        ],
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def parameters(model: str, name: str) -> int:
    path = answers_path(model, name).with_suffix(".json")
    return int(json.loads(path.read_text(encoding="utf-8"))["parameters"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    for model in options.models:
        for name in options.variants:
            answers_path(model, name).parent.mkdir(parents=True, exist_ok=True)
            if not answers_path(model, name).exists():
                measure(model, name)
            write_results()


if __name__ == "__main__":
    main()
