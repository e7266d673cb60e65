"""What the examples are checked for: duplicates, the window, and questions that would be both learned and measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.conversations import Candidate, to_candidates
from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.readers import read_rows
from pipeline.families.chat import ChatFormat
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import DataSection


@dataclass(frozen=True)
class CheckedFile:
    """The usable examples of one file, and what became of the others."""

    candidates: tuple[Candidate, ...]
    rows: int = 0
    duplicates: int = 0
    too_long: int = 0
    truncated: int = 0

    @property
    def examples(self) -> list[Example]:
        return [candidate.example for candidate in self.candidates]

    def as_json(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "kept": len(self.candidates),
            "dropped_duplicates": self.duplicates,
            "dropped_too_long": self.too_long,
            "truncated": self.truncated,
        }


def check_file(path: Path, data: DataSection, tokenizer: Tokenizer, faults: Faults) -> CheckedFile:
    """Read a file and check every row; `data` says what becomes of duplicates and of examples beyond the window.

    Raises:
        InputError: the file cannot be read at all. What is wrong with its rows goes to `faults`.
    """
    rows = read_rows(path, faults)
    unique, duplicates = drop_duplicates(to_candidates(rows, faults, tokenizer.chat), data, faults)
    kept, too_long, truncated = fit_window(unique, data, tokenizer, faults)
    return CheckedFile(tuple(kept), len(rows), duplicates, too_long, truncated)


def drop_duplicates(
    candidates: Sequence[Candidate], data: DataSection, faults: Faults
) -> tuple[list[Candidate], int]:
    """Find rows that say the same as an earlier one, turn by turn.

    Returns:
        The candidates left, and how many were dropped.
    """
    if data.duplicates == "keep":
        return list(candidates), 0
    first: dict[tuple[tuple[str, str], ...], Place] = {}
    kept = []
    for candidate in candidates:
        turns = tuple((turn["role"], turn["content"].strip()) for turn in candidate.example.messages)
        if turns not in first:
            first[turns] = candidate.place
            kept.append(candidate)
        elif data.duplicates == "refuse":
            faults.add(
                candidate.place,
                f"says the same as {first[turns]}; remove it, or set data.duplicates to drop or keep",
            )
    return kept, len(candidates) - len(kept)


def fit_window(
    candidates: Sequence[Candidate], data: DataSection, tokenizer: Tokenizer, faults: Faults
) -> tuple[list[Candidate], int, int]:
    """Find examples longer than `data.max_length` tokens: markers, prompt and response together.

    Returns:
        The candidates left, how many were dropped, how many had their response shortened.
    """
    kept = []
    dropped = truncated = 0
    for candidate in candidates:
        prompt = len(tokenizer.prompt_ids(candidate.example.context))
        length = prompt + len(tokenizer.response_ids(candidate.example.response))
        if length <= data.max_length:
            kept.append(candidate)
        elif data.too_long == "drop":
            dropped += 1
        elif data.too_long == "refuse":
            faults.add(
                candidate.place,
                f"takes {length} tokens, data.max_length is {data.max_length}; shorten it, raise data.max_length, "
                "or set data.too_long to drop or truncate",
            )
        elif shorter := _truncate(candidate.example, data.max_length - prompt, tokenizer):
            kept.append(replace(candidate, example=shorter))
            truncated += 1
        else:
            faults.add(
                candidate.place,
                f"its prompt alone takes {prompt} tokens and leaves no room for a response in data.max_length "
                f"{data.max_length}; shorten the prompt or raise data.max_length",
            )
    return kept, dropped, truncated


def _truncate(example: Example, room: int, tokenizer: Tokenizer) -> Example | None:
    """The example with the longest beginning of its response, in whole words, that takes at most `room` tokens."""
    words = example.response.split(" ")
    fits, beyond = 0, len(words)
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if len(tokenizer.response_ids(_with_response(example, words[:middle]).response)) <= room:
            fits = middle
        else:
            beyond = middle
    shorter = _with_response(example, words[:fits])
    return shorter if shorter.response else None


def _with_response(example: Example, words: Sequence[str]) -> Example:
    return replace(
        example, messages=(*example.messages[:-1], {"role": "assistant", "content": " ".join(words).rstrip()})
    )


def check_leaks(
    train: Iterable[Candidate], held_out: Iterable[Candidate], faults: Faults, chat: ChatFormat
) -> None:
    """Report every held-out example whose prompt is also in the training data: its score would say nothing."""
    places: dict[str, Place] = {}
    for candidate in train:
        places.setdefault(candidate.example.prompt(chat), candidate.place)
    for candidate in held_out:
        place = places.get(candidate.example.prompt(chat))
        if place is not None:
            faults.add(
                candidate.place, f"has the same prompt as {place}, which is training data; remove one of them"
            )
