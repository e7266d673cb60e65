"""What reading a file decided without being told, to be printed: which columns are the conversation, which
became tags, and what was not used."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipeline.data.names import listed

SHOWN = 3


@dataclass
class Notes:
    """What was found in the rows of one file.

    Attributes:
        layouts: rows by how their columns are read.
        tags: columns that became tags.
        unused: columns that are not used, and why.
        turn_keys: keys of turns that are not used, and in how many turns they are.
        earlier_answers: conversations with answers before the last one.
        last_only: those of them in which `data.loss: last` trains on the last answer only.
        excluded_by_flags: answers before the last trained one that a flag excludes from training.
        answers_in_prompts: answers that are part of a column that is a prompt.
        turns_after: turns after the last trained answer of a conversation; they are omitted.
        numbers: prompts and answers that were whole numbers and are used as their digits.
        marks: rows whose prompt or response is the mark of a missing value and was kept.
    """

    layouts: Counter[str] = field(default_factory=Counter)
    tags: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    turn_keys: Counter[str] = field(default_factory=Counter)
    earlier_answers: int = 0
    last_only: int = 0
    excluded_by_flags: int = 0
    answers_in_prompts: int = 0
    turns_after: int = 0
    numbers: int = 0
    marks: int = 0

    def as_json(self) -> dict[str, Any]:
        counts = {
            "earlier_answers_excluded_by_flags": self.excluded_by_flags,
            "answers_in_prompts": self.answers_in_prompts,
            "turns_after_the_last_trained_answer": self.turns_after,
        }
        return {
            "read_as": dict(self.layouts),
            "tags": self.tags,
            "unused_columns": self.unused,
            "unused_turn_keys": dict(self.turn_keys),
            "conversations_with_earlier_answers": self.earlier_answers,
            "numbers_as_text": self.numbers,
            "marks_of_missing_values": self.marks,
        } | {name: count for name, count in counts.items() if count}

    def lines(self) -> list[str]:
        """The notes in sentences, the usual ones first."""
        most = self.layouts.most_common(SHOWN)
        lines = [
            layout + (f" ({count:,} row{'s' * (count != 1)})" if len(self.layouts) > 1 else "")
            for layout, count in most
        ]
        if len(self.layouts) > SHOWN:
            lines.append(f"{len(self.layouts) - SHOWN} more column layouts, listed in summary.json")
        if self.tags:
            lines.append(f"tags: {listed(self.tags)}")
        if self.unused:
            columns = listed(f"{name or '(no name)'} ({reason})" for name, reason in self.unused.items())
            lines.append(f"unused columns: {columns}")
        if self.turn_keys:
            keys = listed(f"{key} ({count:,})" for key, count in self.turn_keys.items())
            lines.append(f"unused keys of turns: {keys}")
        if self.turns_after:
            lines.append(f"turns after the last trained answer, omitted: {self.turns_after:,}")
        if self.last_only:
            lines.append(
                "the model is trained on the last answer only; conversations with earlier answers: "
                f"{self.last_only:,}"
            )
        if self.excluded_by_flags:
            lines.append(f"earlier answers excluded by flags: {self.excluded_by_flags:,}")
        if self.answers_in_prompts:
            lines.append(f"answers in prompts, not trained on: {self.answers_in_prompts:,}")
        if self.numbers:
            lines.append(f"numbers, converted to text: {self.numbers:,}")
        if self.marks:
            lines.append(f"missing-value markers, kept as text: {self.marks:,}")
        return lines
