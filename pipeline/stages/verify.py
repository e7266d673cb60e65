"""Verify that the converted model answers in the phone's runtime as the fine-tuned one does in Keras."""

import shutil

from pipeline.console import console
from pipeline.data.examples import Example, read_examples
from pipeline.errors import PocketGemmaError
from pipeline.evaluation import in_keras, in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, Limits, TokenIds, compare
from pipeline.evaluation.conversations import spread
from pipeline.evaluation.report import table, write_report
from pipeline.evaluation.runtime_checks import adapter_differences, token_ids, turn_differences
from pipeline.evaluation.task_comparison import task_differences
from pipeline.families.registry import read_family, read_shape
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.model_check import model_differences
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.probe import probe
from pipeline.recipe.model_specs import base_spec, model_spec
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.verify import VerifySection
from pipeline.run.files import PrepareFiles, VerifyFiles
from pipeline.run.folder import Run
from pipeline.run.sources import code_digest
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.load import load_adapter

PACKAGES = ("keras", "keras-hub", "litert-lm", "numpy", "sentencepiece", "torch")
CODE = (
    "stages/verify.py",
    "recipe/model_specs.py",
    "data",
    "evaluation",
    "families",
    "formats",
    "gemma",
    "litert",
    "quantization",
    "tuning",
)
"""What decides the result besides the recipe and earlier stages: packages by their version, and our own
code."""

FEW_QUESTIONS = 20
"""How many questions, at most, the .task file answers, or the base without its run-time adapter."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write report.json, report.md and answers.jsonl.

    The matrices in the converted file are compared with the merged ones, which the merge stage verified to be
    base and adapter. The expected answers come from Keras with base and adapter separate, as in training: no
    merged file is involved, so nothing that was lost on the way can go unnoticed.

    Raises:
        InputError: a model file or the adapter file is damaged.
        PocketGemmaError: a limit is exceeded; the report is then in the run folder's logs.
    """
    with run.stage(
        "verify",
        settings=config.verify.model_dump(),
        after=("download", "prepare", "finetune", "merge", "convert"),
        packages=PACKAGES,
        sources={"pipeline code": code_digest(*CODE)},
        force=force,
    ) as work:
        if work.up_to_date:
            return
        examples = _questions(run.files.prepare, config.verify.questions)
        differences = _file_differences(config, run)
        ids, runtime, found = _in_runtime(config, run, examples)
        keras = _in_keras(config, run, examples)

        comparison = compare(
            keras,
            runtime,
            _limits(config.verify),
            control_tokens=read_family(run.files.download.preset).chat.control_tokens,
            token_ids=ids,
            differences=differences + found,
        )
        console.print(table(comparison))
        failed = run.files.logs.refused
        shutil.rmtree(failed.folder, ignore_errors=True)
        files = VerifyFiles(work.folder) if comparison.passed else failed
        write_report(files, comparison, f"{config.name}: the runtime compared with Keras")
        if not comparison.passed:
            raise _failure(comparison, files)
        work.details.update(
            questions=len(examples),
            keras={"exact_match": comparison.keras.exact_match, "perplexity": comparison.keras.perplexity},
            runtime={
                "exact_match": comparison.runtime.exact_match,
                "perplexity": comparison.runtime.perplexity,
            },
        )


def _questions(prepared: PrepareFiles, count: int) -> list[Example]:
    """The test examples, or without a test file the validation examples: at most `count`, always the same
    ones."""
    examples = spread(read_examples(prepared.test if prepared.test.exists() else prepared.validation), count)
    if not examples:
        raise PocketGemmaError(
            f"{prepared.folder}: no test or validation examples to verify with; set data.validation_share "
            "above 0"
        )
    return examples


def _file_differences(config: Config, run: Run) -> list[str]:
    """Compare what the model files hold and declare with the recipe."""
    preset, converted = run.files.download.preset, run.files.convert
    tokenizer = Tokenizer.of_preset(preset)
    held = preset if config.convert.adapters == "runtime" else run.files.merge.huggingface
    differences = model_differences(converted.model, tokenizer, model_spec(config), held, preset)
    if converted.base.exists():
        of_base = model_differences(converted.base, tokenizer, base_spec(config), preset)
        differences += [f"{converted.base.name}: {difference}" for difference in of_base]
    return differences


def _in_runtime(
    config: Config, run: Run, examples: list[Example]
) -> tuple[list[TokenIds], list[Answer], list[str]]:
    """Token IDs, answers and differences in the runtime; the model is opened once for all of them."""
    converted, limit = run.files.convert, config.verify.max_new_tokens
    adapter = converted.adapter if config.convert.adapters == "runtime" else None
    tokenizer = Tokenizer.of_preset(run.files.download.preset)
    probe(converted.model)
    if converted.task.exists():
        probe(converted.task)
    with Runtime(converted.model) as runtime:
        ids = token_ids(runtime, tokenizer, examples)
        differences = turn_differences(runtime, tokenizer, examples, max_new_tokens=limit, adapter=adapter)
        answers = in_runtime.answer_all(runtime, examples, max_new_tokens=limit, adapter=adapter)
        if adapter:
            trained = load_adapter(run.files.finetune.adapter)
            differences += adapter_differences(
                runtime, adapter, trained, examples, answers, questions=FEW_QUESTIONS
            )
        if converted.task.exists():
            with Runtime(converted.task) as task:
                differences += task_differences(
                    runtime, task, examples, answers, questions=FEW_QUESTIONS, max_new_tokens=limit
                )
    return ids, answers, differences


def _in_keras(config: Config, run: Run, examples: list[Example]) -> list[Answer]:
    preset, adapter = run.files.download.preset, run.files.finetune.adapter
    parameters = read_shape(preset).parameters
    use_backend(choose_compute(config.finetune.backend, config.finetune.dtype, parameters).backend)
    limit = config.verify.max_new_tokens
    return in_keras.answer_all(preset, examples, max_new_tokens=limit, adapter=adapter)


def _limits(settings: VerifySection) -> Limits:
    return Limits(
        max_accuracy_loss=settings.max_accuracy_loss,
        min_same_answers=settings.min_same_answers,
        max_unstopped=settings.max_unstopped,
        max_logprob_difference=settings.max_logprob_difference,
        max_perplexity_ratio=settings.max_perplexity_ratio,
        min_accuracy=settings.min_accuracy,
    )


def _failure(comparison: Comparison, files: VerifyFiles) -> PocketGemmaError:
    checks = "; ".join(f"{check.name}: {check.found} ({check.limit})" for check in comparison.failures)
    return PocketGemmaError(
        f"the converted model differs from the fine-tuned one: {checks}; see the report in "
        f"{files.report_markdown}"
    )
