"""Facts about the examples and the training."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data.summary import POLICY_EFFECTS
from pipeline.errors import InputError
from pipeline.report.results import Results, read_object
from pipeline.tuning.load import read_checked
from pipeline.tuning.registry import method_of
from pipeline.tuning.start import START_WEIGHTS


@dataclass(frozen=True)
class SplitFacts:
    """The prepared examples of a split.

    Attributes:
        name: train, validation or test.
        examples: how many.
        tokens: of all examples.
        prompt, response: lengths in tokens by quantile: p50, p90, p99, max; empty without examples.
    """

    name: str
    examples: int
    tokens: int
    prompt: Mapping[str, int]
    response: Mapping[str, int]


@dataclass(frozen=True)
class SourceFacts:
    """The files that examples came from.

    Attributes:
        name: train, validation, test or replay.
        sources: names of files, addresses of data sets; empty if they are not recorded.
        rows: read.
        kept: of these.
        effects: what the other rows met with, in words, and how many rows.
        read_as: how rows were read, in words.
    """

    name: str
    sources: Sequence[str]
    rows: int
    kept: int
    effects: Sequence[tuple[str, int]]
    read_as: Sequence[str]


@dataclass(frozen=True)
class DataFacts:
    """The examples.

    Attributes:
        splits: what was prepared.
        files: what it was prepared from.
        notes: about all of it, a sentence each.
    """

    splits: Sequence[SplitFacts]
    files: Sequence[SourceFacts]
    notes: Sequence[str]


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch; epoch 0 is the model before training. Losses are in nats per response token, exact
    match is a share. None: not measured."""

    number: int
    loss: float | None
    exact_match: float | None
    val_loss: float | None
    val_exact_match: float | None


@dataclass(frozen=True)
class ForgettingFacts:
    """Perplexity on general text; None where it is not finite.

    Attributes:
        before: of the model as training started.
        after: of the trained model.
        tokens: of the text.
    """

    before: float | None
    after: float | None
    tokens: int

    @property
    def is_finite(self) -> bool:
        """Whether both are finite."""
        return self.before is not None and self.after is not None


@dataclass(frozen=True)
class TrainingFacts:
    """The training.

    Attributes:
        method: its name.
        start: sha256 of the adapter that training started from; None: it started from the base.
        rank, alpha, targets: of the adapter; None and empty if the method has none.
        parameters: that are trained.
        matrices: that low-rank factors adapt; 0 for a method that changes weights directly.
        examples: to train on.
        steps: of training.
        epochs: that were trained.
        best_epoch: the one that is kept.
        best_exact_match: on validation, a share; None without validation.
        tokens_per_second: without padding, validation included; None if it is not recorded.
        compute: backend and data type.
        settings: others of the recipe.
        history: by epoch.
        forgetting: None if it is not recorded.
    """

    method: str
    start: str | None
    rank: int | None
    alpha: float | None
    targets: Sequence[str]
    parameters: int | None
    matrices: int
    examples: int | None
    steps: int | None
    epochs: int | None
    best_epoch: int | None
    best_exact_match: float | None
    tokens_per_second: float | None
    compute: str
    settings: Mapping[str, Any]
    history: Sequence[Epoch]
    forgetting: ForgettingFacts | None


SETTINGS = (
    "scaling",
    "batch_size",
    "learning_rate",
    "lora_plus_ratio",
    "quantize_base",
    "rematerialize",
    "warmup_steps",
    "weight_decay",
    "dropout",
    "monitor",
    "seed",
)
"""Settings of a training that are shown as they are."""

LOW_RANK_SETTINGS = frozenset(("scaling", "lora_plus_ratio", "quantize_base"))
"""Those of them that mean nothing to a method without low-rank factors."""


def data_facts(results: Results) -> DataFacts | None:
    """The examples; None without a result of prepare.

    Raises:
        InputError: its summary is missing or damaged.
    """
    if not results.has("prepare") or not results.files.prepare.summary.is_file():
        return None
    summary = read_object(results.files.prepare.summary)
    sources = results.details("prepare").get("sources", {})
    splits = [
        SplitFacts(
            name,
            count,
            summary["tokens"][name]["whole"].get("total", 0),
            summary["tokens"][name]["prompt"],
            summary["tokens"][name]["response"],
        )
        for name, count in summary["counts"].items()
    ]
    files = [
        SourceFacts(
            name,
            sources.get(name, ()),
            file["rows"],
            file["kept"],
            # Earlier versions counted fewer effects and recorded no decisions.
            [(effect, file[key]) for key, effect in POLICY_EFFECTS.items() if file.get(key)],
            list(file.get("decisions", {}).get("read_as", ())),
        )
        for name, file in summary["files"].items()
    ]
    return DataFacts(splits, files, _notes(summary, results.settings("prepare")))


def _notes(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    notes = []
    replay = summary["replay"]
    if replay["examples"]:
        notes.append(f"{replay['examples']:,} examples of train are replay ({replay['share']:.0%}).")
    if learning := summary.get("learning", {}).get("train"):
        notes.append(
            f"The model is trained on {learning['learned_answers']:,} of the {learning['answers']:,} answers "
            f"of train (data.loss: {settings['loss']})."
        )
    for name, count in summary.get("near_leaks", {}).items():
        if count:
            notes.append(f"{count:,} prompts of {name} differ from training data only in case or spacing.")
    several = summary["prompts_with_several_responses"]
    if several:
        notes.append(f"{several:,} prompts of train have more than one response.")
    return notes


def training_facts(results: Results) -> TrainingFacts | None:
    """The training; None without a result of finetune.

    Raises:
        InputError: the adapter or the history is missing or damaged.
    """
    if not results.has("finetune"):
        return None
    file = read_checked(results.files.finetune.adapter)
    details, method = results.details("finetune"), method_of(file)
    return TrainingFacts(
        method=method.title,
        start=_start(results),
        rank=file.settings.get("rank"),
        alpha=file.settings.get("alpha"),
        targets=tuple(file.settings.get("targets", ())),
        parameters=details.get("trainable_parameters"),
        matrices=len(file.matrices),
        examples=details.get("examples"),
        steps=details.get("steps"),
        epochs=details.get("epochs"),
        best_epoch=details.get("best_epoch"),
        best_exact_match=details.get("best_validation_exact_match"),
        tokens_per_second=details.get("tokens_per_second") or None,
        compute=", ".join(details[key] for key in ("backend", "dtype") if key in details),
        settings=_settings(results.settings("finetune"), low_rank=method.low_rank),
        history=_history(results),
        forgetting=ForgettingFacts(**details["general_text"]) if "general_text" in details else None,
    )


def _settings(recorded: Mapping[str, Any], *, low_rank: bool) -> dict[str, Any]:
    """The settings to show: not those that are off, nor those that the method does not use."""
    return {
        key: recorded[key]
        for key in SETTINGS
        if recorded.get(key) is not None and recorded[key] is not False
        if low_rank or key not in LOW_RANK_SETTINGS
    }


def _start(results: Results) -> str | None:
    for entry in results.inputs("finetune"):
        if entry["name"] in START_WEIGHTS:
            digest: str = entry["sha256"]
            return digest
    return None


def _history(results: Results) -> list[Epoch]:
    """Every epoch, the model before training first if it was measured."""
    path, details = results.files.finetune.history, results.details("finetune")
    if not path.is_file():
        return []
    untrained = details.get("untrained_validation_loss")
    exact_match = details.get("untrained_validation_exact_match")
    start = [] if untrained is None else [Epoch(0, None, None, untrained, exact_match)]
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return start + [
            Epoch(
                int(row["epoch"]),
                *(
                    float(row[name]) if row.get(name) else None
                    for name in ("loss", "exact_match", "val_loss", "val_exact_match")
                ),
            )
            for row in rows
        ]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); run: pocketgemma finetune --force") from None
