"""Check the examples row by row, split them, mix in replay, and summarize them."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.addresses import DATASETS, path_name, source_name
from pipeline.console import console
from pipeline.data.checks import CheckedFile, check_files, check_leaks, count_near_leaks
from pipeline.data.conversations import Candidate
from pipeline.data.examples import read_examples, write_examples
from pipeline.data.faults import Faults
from pipeline.data.sources import Split, find_files
from pipeline.data.split import mix_replay, prompts_of, split_validation
from pipeline.data.summary import (
    POLICY_EFFECTS,
    describe_learning,
    describe_tokens,
    prompts_with_several_responses,
)
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.data import DataSection
from pipeline.run.files import PrepareFiles
from pipeline.run.folder import Run

FILES: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test", "replay": "train"}
"""The keys of the data section that name files, and the split that each takes from a folder of several."""

ADDED = ("columns", "template", "encoding", "missing")
WITHOUT_ADDED = DataSection.model_construct(train=()).model_dump(include=set(ADDED)) | {"loss": "last"}
"""The keys of the data section that older results do not know, with the values that they were prepared
with."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write train.jsonl, validation.jsonl, test.jsonl (if there is a test file) and summary.json.

    Raises:
        InputError: rows are invalid, or a prompt of the training data is also in the validation or test data;
            lists file and row of each.
    """
    data = config.data
    paths = {
        name: find_files(sources, split) for name, split in FILES.items() if (sources := getattr(data, name))
    }
    # The seed determines the split and the mix, and later the training.
    settings = data.model_dump(exclude=set(FILES)) | {"seed": config.finetune.seed}
    with run.stage(
        "prepare",
        settings=settings,
        after=("download",),
        inputs=_labels(paths),
        packages=("sentencepiece",),
        keep=True,
        in_one_form=_in_one_form(data, run),
        force=force,
    ) as work:
        if work.up_to_date:
            return
        tokenizer = Tokenizer.of_preset(run.files.download.preset)
        chat, faults = tokenizer.chat, Faults()
        policy = data.policy
        # Replay often comes from another data set, which has columns of its own.
        policies = {"replay": replace(policy, columns=replace(policy.columns, optional=True))}
        checked = {
            name: check_files(files, policies.get(name, policy), tokenizer, faults)
            for name, files in paths.items()
        }
        _check_leaks(checked, faults, chat)
        faults.raise_if_any()

        train = checked["train"].examples
        replay = checked["replay"].examples if "replay" in checked else []
        if "validation" in checked:
            validation = checked["validation"].examples
        else:
            train, validation = split_validation(
                train, data.validation_share, config.finetune.seed, chat, prompts_of(replay, chat)
            )
        if not train:
            raise InputError(
                f"{source_name(data.train)}: no training examples are left; check data.duplicates, "
                "data.missing and data.too_long"
            )
        mix = mix_replay(train, replay, data.replay_share, config.finetune.seed)

        written = PrepareFiles(work.folder)
        prepared = {"train": mix.examples, "validation": validation}
        if "test" in checked:
            prepared["test"] = checked["test"].examples
        for name, examples in prepared.items():
            write_examples(written.examples(name), examples)
        summary = {
            "files": {
                name: file.counts() | {"decisions": file.notes.as_json()} for name, file in checked.items()
            },
            "counts": {name: len(examples) for name, examples in prepared.items()},
            "replay": {
                "wanted_share": data.replay_share,
                "share": mix.share,
                "examples": mix.replay,
                "times": mix.times,
            },
            "near_leaks": {
                name: count_near_leaks(_training(checked), checked[name].candidates)
                for name in ("validation", "test")
                if name in checked
            },
            "prompts_with_several_responses": prompts_with_several_responses(mix.examples, chat),
            "tokens": {name: describe_tokens(examples, tokenizer) for name, examples in prepared.items()},
        }
        if learning := describe_learning(mix.examples, tokenizer):
            summary["learning"] = {"train": learning}
        text = json.dumps(summary, indent=1) + "\n"
        written.summary.write_text(text, encoding="utf-8")
        work.details["counts"] = summary["counts"]
        work.details["sources"] = {name: _sources(getattr(data, name)) for name in paths}
        _print_notes(checked)
        _print(summary)


def _in_one_form(data: DataSection, run: Run) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Completes recorded settings. `data.loss` means nothing where no conversation has several answers."""

    def complete(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = {**WITHOUT_ADDED, **recorded}
        if _has_earlier_answers(run.files.prepare):
            return settings
        return {**settings, "loss": data.loss}

    return complete


def _has_earlier_answers(result: PrepareFiles) -> bool:
    """Whether a result has conversations with several answers; also if it is unreadable.

    The summary counts the rows that were read. Version 0.1.0 did not count, and used the last answer of every
    row: there, the examples decide.
    """
    try:
        files = json.loads(result.summary.read_text(encoding="utf-8"))["files"].values()
        if all("decisions" in file for file in files):
            return any(file["decisions"]["conversations_with_earlier_answers"] for file in files)
        return any(
            turn["role"] == "assistant"
            for name in ("train", "validation")
            for example in read_examples(result.examples(name))
            for turn in example.context
        )
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _check_leaks(checked: dict[str, CheckedFile], faults: Faults, chat: ChatFormat) -> None:
    train = _training(checked)
    for name in ("validation", "test"):
        if name in checked:
            check_leaks(train, checked[name].candidates, faults, chat)


def _training(checked: dict[str, CheckedFile]) -> list[Candidate]:
    """What the model is trained on, before a validation share is split off."""
    return [
        candidate for name in ("train", "replay") if name in checked for candidate in checked[name].candidates
    ]


def _labels(paths: dict[str, list[Path]]) -> dict[str, Path]:
    """The files by labels that are the same on every machine."""
    labels: dict[str, Path] = {}
    for name, files in paths.items():
        width = len(str(len(files)))
        for number, path in enumerate(files, start=1):
            labels[name if len(files) == 1 else f"{name}/{number:0{width}}-{path.name}"] = path
    return labels


def _sources(sources: Sequence[str]) -> list[str]:
    """Addresses of data sets as they are; of files and folders only the names."""
    return [source if source.startswith(DATASETS) else path_name(source) for source in sources]


def _print_notes(checked: dict[str, CheckedFile]) -> None:
    """What was decided about the files, each decision once with all the files that it is about."""
    about: dict[str, list[str]] = defaultdict(list)
    for name, file in checked.items():
        for line in file.notes.lines():
            about[line].append(name)
    for line, names in about.items():
        console.print(f"  {', '.join(names)}: {line}")


def _print(summary: dict[str, Any]) -> None:
    table = Table(
        "", "examples", "tokens", "prompt p50/p99/max", "response p50/p99/max", box=None, padding=(0, 2)
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, tokens in summary["tokens"].items():
        lengths = [
            "/".join(str(tokens[part].get(key, "–")) for key in ("p50", "p99", "max"))
            for part in ("prompt", "response")
        ]
        table.add_row(
            f"  {name}", f"{summary['counts'][name]:,}", f"{tokens['whole'].get('total', 0):,}", *lengths
        )
    console.print(table)
    if learning := summary.get("learning", {}).get("train"):
        console.print(
            f"  train: the model is trained on {learning['learned_answers']:,} of {learning['answers']:,} "
            f"answers, {learning['learned_tokens']:,} of {learning['tokens']:,} tokens"
        )
    for name, file in summary["files"].items():
        for key, effect in POLICY_EFFECTS.items():
            if file[key]:
                console.print(f"  {name}: {effect}: {file[key]:,} of {file['rows']:,} rows", style="yellow")
    for name, count in summary["near_leaks"].items():
        if count:
            console.print(
                f"  {name}: {count:,} prompts differ from training data only in case or spacing",
                style="yellow",
            )
    replay = summary["replay"]
    if replay["examples"]:
        again = (
            f"; the file is too small for this share, so examples occur up to {replay['times']} times"
            if replay["times"] > 1
            else ""
        )
        console.print(f"  replay: {replay['examples']:,} examples, {replay['share']:.0%} of train{again}")
    if not summary["counts"]["validation"]:
        console.print(
            "  validation: no examples; set data.validation_share above 0 for early stopping", style="yellow"
        )
    several = summary["prompts_with_several_responses"]
    if several:
        what = "prompt has" if several == 1 else "prompts have"
        console.print(f"  {several:,} {what} more than one response", style="yellow")
