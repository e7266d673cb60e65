"""Verify that the converted model answers in the phone's runtime as the fine-tuned one does in Keras."""

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.console import console
from pipeline.data.examples import Example, read_examples
from pipeline.errors import PocketGemmaError, UndecidedError
from pipeline.evaluation import in_keras, in_runtime
from pipeline.evaluation.agreement import Agreement, agreement
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.as_stored import EVERY_MATRIX, compute_as_stored
from pipeline.evaluation.comparison import ACCURACY, Comparison, Limits, TokenIds, compare
from pipeline.evaluation.conversations import spread
from pipeline.evaluation.report import similarity, table, write_base_answers, write_report
from pipeline.evaluation.runtime_checks import adapter_differences, token_ids, turn_differences
from pipeline.evaluation.task_comparison import task_differences
from pipeline.families.registry import read_family, read_shape
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.matrix_check import StoredMatrix, find_matrices, read_stored
from pipeline.litert.model_check import matrix_differences, model_differences
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.probe import probe
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.model_specs import base_spec, model_spec
from pipeline.recipe.schema import Config
from pipeline.run.files import PrepareFiles, VerifyFiles
from pipeline.run.folder import Run
from pipeline.run.sources import code_digest
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.load import load_adapter

PACKAGES = ("keras", "keras-hub", "litert-lm-api", "numpy", "sentencepiece", "torch")
CODE = (
    "stages/verify.py",
    "recipe/model_specs.py",
    "recipe/terms.py",
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

BASE_QUESTIONS = 8
"""How many of the questions, at most, the base answers without the adapter, to show what training changed."""

SPARE = 1.1
"""How many more questions than computed are asked when the first do not decide."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write report.json, report.md, answers.jsonl and base_answers.jsonl.

    Two questions are separate. Is the file right? Its matrices are compared with the merged ones, which the
    merge stage verified to be base and adapter, and the runtime is compared with Keras on the numbers that
    the file stores. What did quantization cost? The runtime is compared with Keras with base and adapter
    separate, as in training: no merged file is involved, so nothing that was lost can go unnoticed.

    Raises:
        InputError: a model file or the adapter file is damaged.
        UndecidedError: the questions are too few to tell what quantization cost.
        PocketGemmaError: a limit is exceeded; the report is then in the run folder's logs.
    """
    limits = config.verify
    with run.stage(
        "verify",
        settings=limits.model_dump(),
        after=("download", "prepare", "finetune", "merge", "convert"),
        packages=PACKAGES,
        sources={"pipeline code": code_digest(*CODE)},
        force=force,
    ) as work:
        if work.up_to_date:
            _forget_refusal(run)
            return
        every = _questions(run.files.prepare)
        files = FileCheck.of(config, run)
        sides = _ask(config, run, spread(every, limits.questions), files)
        comparison = _compared(config, run, sides, files)
        more = _more_questions(comparison, every, sides.examples, limits.max_questions)
        if more:
            console.print(
                f"  {len(sides.examples)} questions are not enough to decide; asking {len(more)} more",
                highlight=False,
            )
            sides = sides.joined(_ask(config, run, more, files))
            comparison = _compared(config, run, sides, files)
        console.print(table(comparison))
        console.print(f"  {similarity(comparison)}")
        accepted = comparison.outcome == "passed" or (
            comparison.outcome == "undecided" and limits.accept_undecided
        )
        failed = run.files.logs.refused
        shutil.rmtree(failed.folder, ignore_errors=True)
        written = VerifyFiles(work.folder) if accepted else failed
        write_report(written, comparison, f"{config.name}: the runtime compared with Keras")
        write_base_answers(written, _in_keras(config, run, spread(sides.examples, BASE_QUESTIONS), None))
        if not accepted:
            run.files.logs.refused_conversion.write_text(run.manifest("convert").digest, encoding="ascii")
            raise _refusal(comparison, written)
        if comparison.outcome == "undecided":
            console.print("  undecided checks are accepted (verify.accept_undecided)")
        work.details.update(
            outcome=comparison.outcome,
            questions=len(sides.examples),
            keras={"exact_match": comparison.keras.exact_match, "perplexity": comparison.keras.perplexity},
            runtime={
                "exact_match": comparison.runtime.exact_match,
                "perplexity": comparison.runtime.perplexity,
            },
            runtime_noise=comparison.agreement and comparison.agreement.ratio,
        )


@dataclass(frozen=True)
class FileCheck:
    """What the converted model holds.

    Attributes:
        differences: from what the recipe asks for, each in a few words.
        stored: where the model file holds each matrix; without those that it lacks.
        complete: whether it lacks none.
    """

    differences: list[str]
    stored: dict[str, StoredMatrix]
    complete: bool

    @classmethod
    def of(cls, config: Config, run: Run) -> "FileCheck":
        preset, converted = run.files.download.preset, run.files.convert
        family, tokenizer = read_family(preset), Tokenizer.of_preset(preset)
        spec = model_spec(config, family)
        matrices = PresetMatrices(_held(config, run))
        scheme = SCHEMES[spec.recipe]
        stored = find_matrices(converted.model, matrices, scheme, spec.rounding, PresetMatrices(preset))
        differences = model_differences(converted.model, tokenizer, spec, None)
        differences += matrix_differences(converted.model, matrices, stored)
        if converted.base.exists():
            of_base = model_differences(converted.base, tokenizer, base_spec(config, family), preset)
            differences += [f"{converted.base.name}: {difference}" for difference in of_base]
        return cls(differences, stored, len(stored) == len(matrices.names()))


@dataclass(frozen=True)
class Sides:
    """Both sides' answers to some questions.

    Attributes:
        examples: the questions.
        keras, runtime: the answers, in the order of the questions.
        token_ids: of conversations.
        differences: found in the runtime, each in a few words.
        stored: log-probabilities by Keras on the stored numbers; empty if the file lacks some of them.
        disturbed: likewise, with inputs changed in the last place.
    """

    examples: list[Example]
    keras: list[Answer]
    runtime: list[Answer]
    token_ids: list[TokenIds]
    differences: list[str]
    stored: list[float]
    disturbed: list[float]

    @property
    def agreement(self) -> Agreement | None:
        """Of the runtime with Keras on the stored numbers; None if that could not be measured."""
        if not self.stored:
            return None
        tokens = [answer.tokens for answer in self.runtime]
        return agreement([answer.logprob for answer in self.runtime], self.stored, self.disturbed, tokens)

    def joined(self, more: "Sides") -> "Sides":
        """With the answers to more questions; what does not depend on the questions stays as it is."""
        return replace(
            self,
            examples=self.examples + more.examples,
            keras=self.keras + more.keras,
            runtime=self.runtime + more.runtime,
            stored=self.stored + more.stored,
            disturbed=self.disturbed + more.disturbed,
        )


def _forget_refusal(run: Run) -> None:
    """An accepted model is no longer refused: the recipe's limits were others in between."""
    refused = run.files.logs.refused_conversion
    if refused.exists() and refused.read_text(encoding="ascii") == run.manifest("convert").digest:
        refused.unlink()


def _questions(prepared: PrepareFiles) -> list[Example]:
    """The test examples; without any the validation examples; without those, too, the training examples:
    whether the file equals the model in Keras shows on them as well."""
    for path in (prepared.test, prepared.validation):
        examples = read_examples(path) if path.exists() else []
        if examples:
            return examples
    console.print(
        "  no test or validation examples, so training examples are asked: their accuracy says nothing about "
        "new questions; set data.test"
    )
    return read_examples(prepared.train)


def _more_questions(
    comparison: Comparison, every: list[Example], asked: list[Example], most: int
) -> list[Example]:
    """Further questions that would probably decide; none if it is decided, or there are no more."""
    if comparison.outcome != "undecided":
        return []
    chosen = {id(example) for example in asked}
    rest = [example for example in every if id(example) not in chosen]
    needed = most if comparison.needed is None else math.ceil(SPARE * comparison.needed)
    return spread(rest, max(0, min(needed, most - len(asked))))


def _ask(config: Config, run: Run, examples: list[Example], files: FileCheck) -> Sides:
    ids, answers, differences = _in_runtime(config, run, examples)
    keras = _in_keras(config, run, examples, run.files.finetune.adapter)
    stored, disturbed = _as_stored(config, run, examples, files) if files.complete else ([], [])
    return Sides(examples, keras, answers, ids, differences, stored, disturbed)


def _compared(config: Config, run: Run, sides: Sides, files: FileCheck) -> Comparison:
    limits = config.verify
    return compare(
        sides.keras,
        sides.runtime,
        Limits(
            max_accuracy_loss=limits.max_accuracy_loss,
            max_unstopped=limits.max_unstopped,
            max_perplexity_ratio=limits.max_perplexity_ratio,
            max_runtime_noise=limits.max_runtime_noise,
            min_accuracy=limits.min_accuracy,
        ),
        control_tokens=read_family(run.files.download.preset).chat.control_tokens,
        token_ids=sides.token_ids,
        differences=files.differences + sides.differences,
        agreement=sides.agreement,
    )


def _held(config: Config, run: Run) -> Path:
    """The folder whose matrices the converted model should hold."""
    runtime_adapters = config.convert.adapters == "runtime"
    return run.files.download.preset if runtime_adapters else run.files.merge.huggingface


def _as_stored(
    config: Config, run: Run, examples: list[Example], files: FileCheck
) -> tuple[list[float], list[float]]:
    """Log-probabilities by Keras on the numbers that the file stores, as they are and disturbed."""
    held, model = _held(config, run), run.files.convert.model
    deltas = None
    if config.convert.adapters == "runtime":
        trained, base = load_adapter(run.files.finetune.adapter), PresetMatrices(held)
        deltas = {
            name: prepare()(0, base.read(name))
            for name, (_, prepare) in trained.method.deltas(trained).matrices.items()
        }
    return in_keras.stored_logprobs(
        held,
        examples,
        lambda keras_model: compute_as_stored(
            keras_model,
            lambda name: read_stored(model, files.stored[name]),
            rounded_inputs=EVERY_MATRIX if SCHEMES[config.convert.recipe].integers else (),
            deltas=deltas,
        ),
    )


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


def _in_keras(config: Config, run: Run, examples: list[Example], adapter: Path | None) -> list[Answer]:
    preset = run.files.download.preset
    parameters = read_shape(preset).parameters
    use_backend(choose_compute(config.finetune.backend, config.finetune.dtype, parameters).backend)
    limit = config.verify.max_new_tokens
    return in_keras.answer_all(preset, examples, max_new_tokens=limit, adapter=adapter)


def _refusal(comparison: Comparison, files: VerifyFiles) -> PocketGemmaError:
    wrong = comparison.failures or comparison.undecided
    checks = "; ".join(f"{check.name}: {check.found} ({check.limit})" for check in wrong)
    if [check.name for check in comparison.failures] == [ACCURACY]:
        return PocketGemmaError(
            f"the model is less accurate than verify.min_accuracy requires: {checks}; Keras answers "
            f"{comparison.keras.exact_match:.1f} % correctly, so train it longer or with more examples. "
            f"Report: {files.report_markdown}"
        )
    if comparison.outcome == "failed":
        return PocketGemmaError(
            f"the converted model differs from the fine-tuned one: {checks}; see the report in "
            f"{files.report_markdown}"
        )
    needed = comparison.needed
    more = "no number of questions would decide" if needed is None else f"about {needed:,} more would decide"
    return UndecidedError(
        f"{comparison.keras.count} questions are not enough to decide whether quantization stays within the "
        f"limits: {checks}; {more}. Add test examples (data.test), raise verify.max_questions, or set "
        f"verify.accept_undecided: true. Report: {files.report_markdown}"
    )
