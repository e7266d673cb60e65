"""Prove that the converted model answers in the phone's runtime as the tuned one does in Keras, or refuse."""

import shutil
import tempfile
from pathlib import Path

from pipeline.console import console
from pipeline.data.examples import Example, read_examples
from pipeline.errors import PocketGemmaError
from pipeline.evaluation import in_keras, in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import TokenIds, compare
from pipeline.evaluation.conversations import conversations, spread
from pipeline.evaluation.report import table, write_report
from pipeline.evaluation.task_comparison import task_differences
from pipeline.families.chat import Message
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import Bundle, differences
from pipeline.litert.runtime.engine import Runtime, probe
from pipeline.litert.runtime_adapters import check_adapter_file, write_adapter
from pipeline.recipe.schema import Config
from pipeline.run.files import PrepareFiles, VerifyFiles
from pipeline.run.folder import Run
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.devices import choose_compute

FEW_QUESTIONS = 20
"""How many questions are asked once more: of the .task, or of the base without the adapter that stays apart."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write report.json, report.md and answers.jsonl.

    The matrices in the converted file are compared with the merged ones, which the merge stage proved to be base and adapter. For the
    answers, Keras's side is the base with the adapter beside it, as it was trained: no merged file takes part, so that nothing that
    was lost on the way can hide.

    Raises:
        PocketGemmaError: beyond a limit; the report then lies in the run folder's logs.
    """
    after = ("download", "prepare", "finetune", "merge", "convert")
    with run.stage("verify", settings=config.verify.model_dump(), after=after, force=force) as work:
        if work.up_to_date:
            return
        limits, preset = config.verify, run.files.download.preset
        converted = run.files.convert
        model, base, task = converted.model, converted.base, converted.task
        apart = converted.adapter if config.convert.adapters == "runtime" else None
        adapter = run.files.finetune.adapter
        examples = _questions(run.files.prepare, limits.questions)
        tokenizer = Tokenizer.of_preset(preset)

        merged = run.files.merge.huggingface
        said = differences(model, tokenizer, Bundle.of(config), preset if apart else merged, preset)
        probe(model)
        if base.exists():
            of_base = differences(base, tokenizer, Bundle.of_base(config), preset)
            said += [f"{base.name}: {difference}" for difference in of_base]
        ids = _token_ids(tokenizer, model, examples)
        said += _turn_differences(tokenizer, model, examples, limits.max_new_tokens, apart)
        runtime = in_runtime.answer_all(model, examples, max_new_tokens=limits.max_new_tokens, adapter=apart)
        if apart:
            said += _adapter_differences(model, apart, adapter, examples, runtime)
        if task.exists():
            probe(task)
            said += task_differences(
                model,
                task,
                examples,
                runtime,
                questions=FEW_QUESTIONS,
                max_new_tokens=limits.max_new_tokens,
            )
        use_backend(
            choose_compute(
                config.finetune.backend, config.finetune.dtype, read_shape(preset).parameters
            ).backend
        )
        keras = in_keras.answer_all(preset, examples, max_new_tokens=limits.max_new_tokens, adapter=adapter)

        comparison = compare(
            keras,
            runtime,
            limits,
            control_tokens=tokenizer.chat.control_tokens,
            token_ids=ids,
            differences=said,
        )
        console.print(table(comparison))
        refused = run.files.logs.refused
        shutil.rmtree(refused.folder, ignore_errors=True)
        write_report(
            VerifyFiles(work.folder) if comparison.passed else refused,
            comparison,
            f"{config.name}: the runtime against Keras",
        )
        if not comparison.passed:
            failures = "; ".join(
                f"{check.name}: {check.found} ({check.limit})" for check in comparison.failures
            )
            raise PocketGemmaError(
                f"the converted model is not the tuned one: {failures}; the report is {refused.report_markdown}"
            )
        work.details.update(
            questions=len(examples),
            keras={"exact_match": comparison.keras.exact_match, "perplexity": comparison.keras.perplexity},
            runtime={
                "exact_match": comparison.runtime.exact_match,
                "perplexity": comparison.runtime.perplexity,
            },
        )


def _questions(prepared: PrepareFiles, count: int) -> list[Example]:
    """The test questions, or validation's without a test set: at most `count`, always the same ones."""
    examples = spread(read_examples(prepared.test if prepared.test.exists() else prepared.validation), count)
    if not examples:
        raise PocketGemmaError(
            f"{prepared.folder}: neither test nor validation examples to verify with; set data.validation_share above 0"
        )
    return examples


def _token_ids(tokenizer: Tokenizer, model: Path, examples: list[Example]) -> list[TokenIds]:
    with Runtime(model) as runtime:
        return [
            TokenIds(
                conversation=name,
                training=[tokenizer.bos_id, *tokenizer.encode(tokenizer.chat.render_prompt(messages))],
                runtime=runtime.token_ids(messages),
            )
            for name, messages in conversations(examples)
        ]


def _turn_differences(
    tokenizer: Tokenizer, model: Path, examples: list[Example], max_new_tokens: int, adapter: Path | None
) -> list[str]:
    """What the runtime puts between its own reply and the next question, in a conversation that goes on, by its count of tokens."""
    between = len(tokenizer.encode("\n" + tokenizer.chat.render_question(examples[-1].question)))
    with Runtime(model) as runtime:
        for example in examples:
            first: tuple[Message, ...] = ({"role": "user", "content": example.question},)
            if not runtime.answer(first, max_new_tokens=max_new_tokens, adapter=adapter).stopped:
                continue
            with runtime.chat(greedy=True, adapter=adapter) as chat:
                list(chat.stream(example.question))
                before = chat.tokens
                list(chat.stream(examples[-1].question, max_new_tokens=1))
                found = chat.tokens - before - 1
            return (
                []
                if found == between
                else [f"a second question is {found} tokens in the runtime, {between} in training"]
            )
    return []


def _adapter_differences(
    model: Path, apart: Path, adapter: Path, examples: list[Example], runtime: list[Answer]
) -> list[str]:
    """Whether the runtime's adapter holds the trained tensors, and whether the runtime takes it in at all.

    An adapter that is loaded and does nothing raises no error: the answers would be the base's.
    """
    said = []
    found = check_adapter_file(apart, model)
    with tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder:
        again = Path(folder) / apart.name
        write_adapter(Adapter.load(adapter), again, rank=found.rank, name=found.name)
        if again.read_bytes() != apart.read_bytes():
            said.append(f"{apart.name} does not hold the trained tensors")
    few = min(len(examples), FEW_QUESTIONS)
    base = in_runtime.answer_all(model, examples[:few], max_new_tokens=1)
    if all(without.logprob == tuned.logprob for without, tuned in zip(base, runtime[:few], strict=True)):
        said.append(f"{apart.name} changes nothing in the runtime")
    return said
