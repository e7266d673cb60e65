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
        learned_earlier: answers before the last one of a conversation that are learned.
        turns_behind: turns behind the last answer of a conversation that is learned; they are left out.
        numbers: prompts and answers that were whole numbers and are learned as their digits.
        marks: rows whose prompt or response is the mark of a missing value and was kept.
    """

    layouts: Counter[str] = field(default_factory=Counter)
    tags: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    turn_keys: Counter[str] = field(default_factory=Counter)
    earlier_answers: int = 0
    learned_earlier: int = 0
    turns_behind: int = 0
    numbers: int = 0
    marks: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "read_as": dict(self.layouts),
            "tags": self.tags,
            "unused_columns": self.unused,
            "unused_turn_keys": dict(self.turn_keys),
            "conversations_with_earlier_answers": self.earlier_answers,
            "numbers_as_text": self.numbers,
            "marks_of_missing_values": self.marks,
        } | ({"turns_behind_the_last_learned_answer": self.turns_behind} if self.turns_behind else {})

    def lines(self) -> list[str]:
        """The notes in sentences, the usual ones first."""
        most = self.layouts.most_common(SHOWN)
        lines = [
            layout + (f" ({count:,} row{'s' * (count != 1)})" if len(self.layouts) > 1 else "")
            for layout, count in most
        ]
        if len(self.layouts) > SHOWN:
            lines.append(f"{len(self.layouts) - SHOWN} more layouts of columns, listed in summary.json")
        if self.tags:
            lines.append(f"tags: {listed(self.tags)}")
        if self.unused:
            columns = listed(f"{name or '(no name)'} ({reason})" for name, reason in self.unused.items())
            lines.append(f"columns that are not used: {columns}")
        if self.turn_keys:
            keys = listed(f"{key} ({count:,})" for key, count in self.turn_keys.items())
            lines.append(f"keys of turns that are not used: {keys}")
        if self.turns_behind:
            lines.append(f"turns behind the last learned answer, left out: {self.turns_behind:,}")
        if self.earlier_answers and not self.learned_earlier:
            lines.append(
                f"only the last answer is learned; conversations with earlier ones: {self.earlier_answers:,}"
            )
        if self.numbers:
            lines.append(f"numbers instead of text, learned as their digits: {self.numbers:,}")
        if self.marks:
            lines.append(f"marks of missing values, kept as text: {self.marks:,}")
        return lines
