"""What the data section of a recipe says about reading rows."""

from dataclasses import dataclass, field
from typing import Literal

Loss = Literal["all_assistant_turns", "last"]
"""Which answers of a conversation the model is trained on."""


@dataclass(frozen=True)
class ColumnNames:
    """Columns that a recipe names; None: found by their usual names.

    Attributes:
        prompt, response, system, messages: a column, or a path into a column of objects, such as
            `answers.text`.
        template: the prompt with columns in braces, such as "Classify: {text}".
        optional: whether a file without these columns is read by the usual names instead.
    """

    prompt: str | None = None
    response: str | None = None
    system: str | None = None
    messages: str | None = None
    template: str | None = None
    optional: bool = False

    @property
    def named(self) -> bool:
        """Whether the recipe names any."""
        return any((self.prompt, self.response, self.system, self.messages, self.template))


@dataclass(frozen=True)
class RowPolicy:
    """How rows are read, and what happens to those that cannot be used as they are.

    Attributes:
        max_length: longest example in tokens: prompt, response and markers together.
        too_long: what to do with a longer one; truncate shortens the response.
        duplicates: what to do with a row whose turns, and which of them are trained on, equal those of an
            earlier row.
        missing: what to do with a row whose prompt or response is empty or the mark of a missing value, such
            as nan; keep takes such marks as text.
        encoding: Python's name of the text encoding of the files; None: UTF-8, or their byte order mark's.
        columns: the columns that the recipe names.
        loss: which answers of a conversation the model is trained on.
    """

    max_length: int
    too_long: Literal["refuse", "drop", "truncate"] = "refuse"
    duplicates: Literal["refuse", "drop", "keep"] = "drop"
    missing: Literal["refuse", "drop", "keep"] = "refuse"
    encoding: str | None = None
    columns: ColumnNames = field(default_factory=ColumnNames)
    loss: Loss = "all_assistant_turns"
