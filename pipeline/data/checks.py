"""Checks on examples: duplicates, length, and prompts that occur in both training and held-out data."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.conversations import Candidate, read_conversations
from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.notes import Notes
from pipeline.data.policy import RowPolicy
from pipeline.data.readers import read_rows
from pipeline.data.tokenize import segment_lengths
from pipeline.families.chat import ChatFormat, trim_answer
from pipeline.gemma.tokenizer import Tokenizer


@dataclass(frozen=True)
class CheckedFile:
    """The usable examples of one file or several, and how many rows were dropped or shortened."""

    candidates: tuple[Candidate, ...]
    notes: Notes
    rows: int = 0
    missing: int = 0
    duplicates: int = 0
    too_long: int = 0
    truncated: int = 0

    @property
    def examples(self) -> list[Example]:
        return [candidate.example for candidate in self.candidates]

    def counts(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "kept": len(self.candidates),
            "dropped_missing": self.missing,
            "dropped_duplicates": self.duplicates,
            "dropped_too_long": self.too_long,
            "truncated": self.truncated,
        }


def check_files(
    paths: Sequence[Path], policy: RowPolicy, tokenizer: Tokenizer, faults: Faults
) -> CheckedFile:
    """Read files and check every row.

    Raises:
        InputError: a file cannot be read at all. Faults in its rows are added to `faults`.
    """
    rows = [row for path in paths for row in read_rows(path, faults, policy.encoding)]
    read = read_conversations(rows, policy, faults, tokenizer.chat)
    unique, duplicates = drop_duplicates(read.candidates, policy, faults)
    kept, too_long, truncated = fit_window(unique, policy, tokenizer, faults)
    return CheckedFile(tuple(kept), read.notes, len(rows), read.missing, duplicates, too_long, truncated)


def drop_duplicates(
    candidates: Sequence[Candidate], policy: RowPolicy, faults: Faults
) -> tuple[list[Candidate], int]:
    """Find rows whose turns, and which of them are trained on, equal those of an earlier row.

    Returns:
        The remaining candidates, and how many were dropped.
    """
    if policy.duplicates == "keep":
        return list(candidates), 0
    first: dict[object, Place] = {}
    kept = []
    for candidate in candidates:
        example = candidate.example
        turns = tuple((turn["role"], trim_answer(turn["content"])) for turn in example.messages)
        key = turns, example.learned_earlier
        if key not in first:
            first[key] = candidate.place
            kept.append(candidate)
        elif policy.duplicates == "refuse":
            faults.add(
                candidate.place,
                f"duplicate of {first[key]}; remove it, or set data.duplicates to drop or keep",
            )
    return kept, len(candidates) - len(kept)


def fit_window(
    candidates: Sequence[Candidate], policy: RowPolicy, tokenizer: Tokenizer, faults: Faults
) -> tuple[list[Candidate], int, int]:
    """Find examples longer than `policy.max_length` tokens.

    Returns:
        The remaining candidates, how many were dropped, how many had their response shortened.
    """
    kept = []
    dropped = truncated = 0
    lengths = segment_lengths((candidate.example for candidate in candidates), tokenizer)
    for candidate, segments in zip(candidates, lengths, strict=True):
        prompt, length = sum(segments[:-1]), sum(segments)
        if length <= policy.max_length:
            kept.append(candidate)
        elif policy.too_long == "drop":
            dropped += 1
        elif policy.too_long == "refuse":
            faults.add(
                candidate.place,
                f"{length} tokens long, data.max_length is {policy.max_length}; shorten it, raise "
                "data.max_length, "
                "or set data.too_long to drop or truncate",
            )
        elif shorter := _truncate(candidate.example, policy.max_length - prompt, tokenizer):
            kept.append(replace(candidate, example=shorter))
            truncated += 1
        else:
            several = any(turn["role"] == "assistant" for turn in candidate.example.context)
            what = "conversation before its last answer" if several else "prompt alone"
            faults.add(
                candidate.place,
                f"the {what} is {prompt} tokens long and leaves no room for a response within "
                f"data.max_length {policy.max_length}; shorten the "
                f"{'conversation' if several else 'prompt'} or raise data.max_length",
            )
    return kept, dropped, truncated


def _truncate(example: Example, room: int, tokenizer: Tokenizer) -> Example | None:
    """The example with the longest start of its response that is at most `room` tokens long: in whole words,
    or in characters if the first word alone is longer."""

    def start(pieces: Sequence[str]) -> Example:
        fits, beyond = 0, len(pieces)
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if len(tokenizer.response_ids(_with_response(example, pieces[:middle]).response)) <= room:
                fits = middle
            else:
                beyond = middle
        return _with_response(example, pieces[:fits])

    for pieces in (re.split(r"(?<=\s)(?=\S)", example.response), example.response):
        shorter = start(pieces)
        if shorter.response:
            return shorter
    return None


def _with_response(example: Example, pieces: Sequence[str]) -> Example:
    return replace(
        example, messages=(*example.messages[:-1], {"role": "assistant", "content": "".join(pieces).rstrip()})
    )


def check_leaks(
    train: Iterable[Candidate], held_out: Iterable[Candidate], faults: Faults, chat: ChatFormat
) -> None:
    """Report every held-out example whose prompt is also in the training data, as a whole or up to an
    earlier turn that is trained on: its score would say nothing."""
    places: dict[str, Place] = {}
    for candidate in train:
        for prompt in (candidate.example.prompt(chat), *candidate.example.earlier_prompts(chat)):
            places.setdefault(prompt, candidate.place)
    for candidate in held_out:
        place = places.get(candidate.example.prompt(chat))
        if place is not None:
            faults.add(
                candidate.place, f"has the same prompt as {place}, which is training data; remove one of them"
            )


def count_near_leaks(train: Iterable[Candidate], held_out: Iterable[Candidate]) -> int:
    """Number of held-out examples whose prompt differs from one of the training data only in case, spacing or
    the form of its Unicode characters."""
    known = set()
    for candidate in train:
        folded = _folded(candidate)
        known |= {folded, *(folded[:index] for index in candidate.example.learned_earlier)}
    return sum(_folded(candidate) in known for candidate in held_out)


def _folded(candidate: Candidate) -> tuple[str, ...]:
    return tuple(
        " ".join(unicodedata.normalize("NFKC", turn["content"]).casefold().split())
        for turn in candidate.example.context
    )
