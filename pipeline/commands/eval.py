"""Ask a model every question in a file, and print how many answers are right."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from pipeline.console import console
from pipeline.data.checks import check_files
from pipeline.data.conversations import Candidate
from pipeline.data.faults import Faults
from pipeline.data.sources import find_files
from pipeline.data.tokenize import segment_lengths
from pipeline.errors import InputError
from pipeline.evaluation.answers import Answer, Scores, score
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime.model_file import context_length_of
from pipeline.recipe.keys import PATHS
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from pipeline.run.folder import Run
from pipeline.run.outputs import check_output, replacing
from pipeline.tuning.devices import choose_compute


def ask_file(
    run: Run,
    config: Config,
    data: Path | str,
    *,
    on: str,
    base: bool = False,
    output: Path | None = None,
    recipe: Path | None = None,
) -> Scores:
    """Answer all questions in a file greedily, print the scores, and write the answers if a file for them is
    given.

    Args:
        run: the run folder; it needs the results of finetune (Keras) or convert (runtime).
        config: the recipe; its data section defines how rows are read, its verify section how long replies
            can be.
        data: a file of examples, a folder of them, or the address of a data set, as text.
        on: `keras` (the base and the adapter, as trained) or `runtime` (the converted model in LiteRT-LM).
        base: whether to leave out the adapter; in Keras only.
        output: a JSONL file for the answers; an older one is replaced once they are complete.
        recipe: the file that the recipe was read from.

    Raises:
        InputError: a file or a result is missing, rows are invalid, or the answers would replace something
            that is read.
    """
    if base and on != "keras":
        raise InputError("--base works only with --on keras; add that option, or remove --base")
    with ExitStack() as stack:
        save = None
        if output is not None:
            check_output(output, _inputs(run, config, data, recipe), "--answers")
            save = stack.enter_context(replacing(output, "--answers"))
        answers = _answer(run, config, data, on=on, base=base)
        scores = score(answers)
        try:
            if save is not None:
                save("".join(json.dumps(each.as_json(), ensure_ascii=False) + "\n" for each in answers))
        finally:
            title = "base in Keras" if base else f"fine-tuned in {'Keras' if on == 'keras' else 'LiteRT-LM'}"
            _print(scores, title)
    return scores


def _inputs(run: Run, config: Config, data: Path | str, recipe: Path | None) -> Iterator[Path]:
    """What the command and the stages of its recipe read."""
    yield from (run.files.download.preset, run.files.convert.model, run.files.convert.adapter)
    yield run.files.finetune.adapter
    if recipe is not None:
        yield recipe
    sources = [str(data)]
    for key in sorted(PATHS):
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name) or ()
        sources += [value] if isinstance(value, str) else value
    for source in sources:
        path = Path(source)
        if "://" in source or source == DEMO:
            continue
        yield from [path] if path.exists() or not path.name else path.parent.glob(path.name)


def _answer(run: Run, config: Config, data: Path | str, *, on: str, base: bool) -> list[Answer]:
    """Every question in a file, answered.

    Raises:
        InputError: as `ask_file`.
    """
    preset = run.files.download.preset
    run.manifest("download")
    tokenizer = Tokenizer.of_preset(preset)
    faults = Faults()
    policy = replace(config.data.policy, duplicates="keep")
    checked = check_files(find_files([str(data)], "test"), policy, tokenizer, faults)
    faults.raise_if_any()
    for line in checked.notes.lines():
        console.print(f"  {line}")
    examples = checked.examples
    if not examples:
        raise InputError(f"{data}: contains no questions")
    limit = config.verify.max_new_tokens
    if on == "runtime":
        from pipeline.evaluation import in_runtime
        from pipeline.litert.runtime.engine import Runtime
        from pipeline.litert.runtime.probe import make_sure_it_opens

        run.manifest("convert")
        _check_context(checked.candidates, run.files.convert.model, tokenizer)
        separate = run.files.convert.adapter if run.files.convert.adapter.is_file() else None
        make_sure_it_opens(run.files.convert.model)
        with Runtime(run.files.convert.model) as runtime:
            return in_runtime.answer_all(runtime, examples, max_new_tokens=limit, adapter=separate)
    from pipeline.evaluation import in_keras

    adapter = None
    if not base:
        run.manifest("finetune")
        adapter = run.files.finetune.adapter
    use_backend(
        choose_compute(config.finetune.backend, config.finetune.dtype, read_shape(preset).parameters).backend
    )
    return in_keras.answer_all(preset, examples, max_new_tokens=limit, adapter=adapter)


def _check_context(candidates: Sequence[Candidate], model: Path, tokenizer: Tokenizer) -> None:
    """Check that a model can read every question with its answer. The recipe may say another context than
    the model was converted with.

    Raises:
        InputError: it cannot; lists the rows.
    """
    context, faults = context_length_of(model), Faults()
    if context is None:
        return
    examples = (candidate.example.last_turn_only for candidate in candidates)
    for candidate, lengths in zip(candidates, segment_lengths(examples, tokenizer), strict=True):
        if sum(lengths) > context:
            faults.add(
                candidate.place,
                f"{sum(lengths)} tokens long, but the converted model's context length is {context}; "
                "shorten it, or raise convert.context_length and convert again",
            )
    faults.raise_if_any()


def _print(scores: Scores, title: str) -> None:
    console.print(
        f"{title}: exact match {scores.exact_match:.1f} % of {scores.count:,} questions, "
        f"perplexity {scores.perplexity:.3f} per token of the expected answers"
    )
    for tag, values in scores.by_tag.items():
        table = Table(tag, "exact match", box=None, padding=(0, 2))
        table.columns[1].justify = "right"
        for value, percent in values.items():
            table.add_row(value, f"{percent:.1f} %")
        console.print(table)
