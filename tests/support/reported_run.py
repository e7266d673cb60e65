"""A small run folder for the tests of the report: the demo base, real examples, an adapter that was not
trained, and answers by hand, in files that the stages' own functions write."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.evaluation.agreement import Agreement
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, Limits, compare
from pipeline.evaluation.conversations import spread
from pipeline.evaluation.report import write_base_answers, write_report
from pipeline.recipe.schema import Config
from pipeline.run.files import ConvertFiles, FinetuneFiles, MergeFiles, VerifyFiles
from pipeline.run.folder import Run
from pipeline.run.stages import STAGES
from pipeline.stages import download, prepare
from tests.support.app_models import write_model
from tests.support.finished_run import write_adapter
from tests.support.rows import pair, write_jsonl

SCRIPT = "Is <script>alert('1 & 2')</script> text?"
"""A question that would be a program in a page that does not escape it."""

HISTORY = """epoch,exact_match,loss,val_exact_match,val_loss
1,0.500000,1.000000,0.600000,0.800000
2,0.800000,0.100000,0.900000,0.200000
3,0.900000,0.050000,0.850000,0.250000
"""

TRAINING = {
    "backend": "torch",
    "dtype": "float32",
    "examples": 190,
    "steps": 18,
    "epochs": 3,
    "best_epoch": 2,
    "untrained_validation_loss": 4.0,
    "untrained_validation_exact_match": 0.0,
    "best_validation_loss": 0.2,
    "best_validation_exact_match": 0.9,
    "trainable_parameters": 4321,
    "tokens_per_second": 1234.5,
    "general_text": {"tokens": 1021, "before": 52.61, "after": 1506.04},
}

PROOF = {
    "matrices": 12,
    "changed": "matrices",
    "formula": "W0 + 1·A·B",
    "largest_relative_deviation": 5.7e-8,
    "other_weights_unchanged": 68,
    "logit_difference": 1.3e-5,
    "logit_noise": 1.4,
}

QUESTIONS = 16
WRONG = 2
"""How many of the questions the runtime answers wrongly, and Keras one fewer."""

LIMITS = Limits(max_accuracy_loss=50.0, max_unstopped=0.0, max_perplexity_ratio=2.0, max_runtime_noise=4.0)
RIGHT = Agreement(difference=1.2e-4, rounding=1e-4, questions=16, log_deviation=0.1)


def recipe(folder: Path, **data: Any) -> Config:
    """The recipe; writes its examples."""
    rows = [pair(f"What is {number}?", f"It is {number}.", kind="number") for number in range(200)]
    train = write_jsonl(folder / "train.jsonl", [*rows, rows[7]])
    test = write_jsonl(folder / "test.jsonl", [pair(SCRIPT, "Yes.")])
    section = {"train": str(train), "test": str(test), "max_length": 96} | data
    return Config.model_validate({"name": "planets", "model": {"preset": "demo"}, "data": section})


def comparison(wrong: int = WRONG, differences: Sequence[str] = ()) -> Comparison:
    """The runtime compared with Keras on QUESTIONS questions."""
    keras = [
        Answer(f"What is {number}?", "Yes.", "Yes.", True, -0.1, 3, {"kind": "odd" if number % 2 else "even"})
        for number in range(QUESTIONS)
    ]
    keras[0] = replace(keras[0], question=SCRIPT)
    for index in range(1, wrong):
        keras[index] = replace(keras[index], text="No.")
    runtime = [replace(answer, text="No.") if index < wrong else answer for index, answer in enumerate(keras)]
    return compare(keras, runtime, LIMITS, differences=differences, agreement=RIGHT)


def make_run(folder: Path, until: str = "verify", **data: Any) -> Path:
    """Make the run folder, up to a stage.

    Args:
        folder: for the examples; the run folder is in it.
        until: the last stage: download, prepare, finetune, merge, convert, verify or bundle.
        data: of the recipe's data section.
    """
    config, stages = recipe(folder, **data), list(STAGES)
    with Run(folder / "run") as run:
        for stage in stages[: stages.index(until) + 1]:
            STEPS[stage](config, run)
    return folder / "run"


def finetune(config: Config, run: Run) -> None:
    settings = config.finetune.determinants
    with run.stage("finetune", settings=settings, after=("download", "prepare")) as work:
        written = FinetuneFiles(work.folder)
        write_adapter(run.files.download.preset, written.adapter)
        written.history.write_text(HISTORY, encoding="utf-8")
        work.details.update(TRAINING)


def merge(config: Config, run: Run) -> None:
    with run.stage("merge", settings={}, after=("download", "prepare", "finetune")) as work:
        shutil.copytree(run.files.download.preset, MergeFiles(work.folder).keras)
        shutil.copytree(run.files.download.preset, MergeFiles(work.folder).huggingface)
        work.details.update(PROOF)


def convert(config: Config, run: Run, seed: int = 1) -> None:
    settings = {"name": config.name, "seed": seed}
    with run.stage("convert", settings=settings, after=("download", "finetune", "merge")) as work:
        write_model(ConvertFiles(work.folder).model, seed)
        work.details.update(peak_memory_bytes=10**15)


def verify(config: Config, run: Run) -> None:
    with run.stage("verify", settings={}, after=("finetune", "merge", "convert")) as work:
        _write_answers(VerifyFiles(work.folder), comparison())


def refuse(run: Run) -> None:
    """What verify leaves when it refuses the model."""
    _write_answers(run.files.logs.refused, comparison(QUESTIONS, ["12 matrices differ"]))
    run.files.logs.refused_conversion.write_text(run.manifest("convert").digest, encoding="ascii")


def _write_answers(files: VerifyFiles, compared: Comparison) -> None:
    write_report(files, compared, "planets")
    base = [replace(keras, text="The base says.") for keras, _ in spread(compared.pairs, 8)]
    write_base_answers(files, base)


def bundle(config: Config, run: Run) -> None:
    with run.stage("bundle", settings={"name": config.name}, after=("convert", "verify")) as work:
        (work.folder / f"{config.name}.apk").write_bytes(b"an app")


STEPS = {
    "download": download.run,
    "prepare": prepare.run,
    "finetune": finetune,
    "merge": merge,
    "convert": convert,
    "verify": verify,
    "bundle": bundle,
}
