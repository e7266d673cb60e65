"""What a form of conversation is: the columns that identify it, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError
from pipeline.families.chat import Message

NamedTurns = list[tuple[str, Message]]
"""Turns, each with its name in messages: a column, or "turn 2"."""


@dataclass(frozen=True)
class Form:
    """A form of conversation in a row.

    Attributes:
        columns: a row that has all of them has this form.
        read: takes the row's values by column; returns the turns and the columns that they use. Raises
            InputError if a value is unusable.
    """

    columns: tuple[str, ...]
    read: Callable[[dict[str, Any]], tuple[NamedTurns, set[str]]]


def text(name: str, value: Any) -> str:
    """A value that must be text.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} is {type(value).__name__} {value!r:.40}, expected text")
    return value
