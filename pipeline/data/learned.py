"""Which answers of a conversation the model is trained on: all that no flag excludes, or the last one."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.names import listed
from pipeline.data.policy import Loss
from pipeline.data.turns import LEARN_FLAGS, SKIP_FLAGS, Turn
from pipeline.data.values import is_blank
from pipeline.errors import InputError


def learned_turns(turns: Sequence[Turn], loss: Loss) -> tuple[int, ...]:
    """The indices of the turns that the model is trained on, ascending.

    Args:
        turns: of a conversation that ends with the assistant.
        loss: `last`: the last turn only. `all_assistant_turns`: every answer that no flag excludes and that
            is not part of a prompt.

    Raises:
        InputError: every answer is excluded, or a flag is neither 0 nor 1.
    """
    last = len(turns) - 1
    if loss == "last":
        check_learned(turns[last].name, turns[last].flags)
        return (last,)
    answers = [
        index
        for index, turn in enumerate(turns)
        if turn.message["role"] == "assistant" and not turn.in_prompt
    ]
    flags = {index: excluding_flag(turns[index].name, turns[index].flags) for index in answers}
    learned = tuple(index for index, flag in flags.items() if not flag)
    if learned:
        return learned
    if len(answers) == 1:
        check_learned(turns[last].name, turns[last].flags)
    excluded = listed(f"{turns[index].name} by {flag}" for index, flag in flags.items())
    raise InputError(
        f"every answer of the conversation is excluded from training ({excluded}); remove the row"
    )


def check_learned(name: str, flags: Mapping[str, Any], advice: str = "") -> None:
    """Refuse an answer that a flag beside it excludes from training.

    Args:
        name: of the turn, or of the row, for messages.
        flags: the turn or the row; other keys do not count.
        advice: ends the message about a flag that is neither 0 nor 1.

    Raises:
        InputError: a flag does, or is neither 0 nor 1.
    """
    if flag := excluding_flag(name, flags, advice):
        raise InputError(
            f"{name} has {flag}: this flag excludes the only answer in the row from training; remove the row"
        )


def check_row(values: Mapping[str, Any]) -> None:
    """Refuse a row that a column with a flag's name excludes from training.

    Other numbers, or words, in a column of such a name say something else, such as a weight of 12 kg.

    Args:
        values: the row. Text that is a number counts as that number, because CSV has only text.

    Raises:
        InputError: a column excludes the row, or holds a fraction between 0 and 1 or a boolean as text.
    """
    flags = {flag: _as_flag(values.get(flag)) for flag in (*LEARN_FLAGS, *SKIP_FLAGS)}
    check_learned("the row", flags, "; correct it, or name the columns to use in data.columns")


def _as_flag(value: Any) -> Any:
    """The value of a column as that of a flag; None if the column says something else."""
    if isinstance(value, str):
        if value.strip().lower() in ("true", "false"):
            return value
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return int(value) if value in (0, 1) and not isinstance(value, bool) else value


def excluding_flag(name: str, flags: Mapping[str, Any], advice: str = "") -> str:
    """The flag and value that exclude an answer from training, such as "weight 0"; empty if none does.

    Args:
        name: of the turn, or of the row, for messages.
        flags: the turn or the row; other keys do not count.
        advice: ends the message about a flag that is neither 0 nor 1.

    Raises:
        InputError: a flag is neither 0 nor 1, nor a boolean.
    """
    excluding = ""
    for flag in (*SKIP_FLAGS, *LEARN_FLAGS):
        value = flags.get(flag)
        if is_blank(value):
            continue
        if value not in (0, 1):
            fraction = "; fractional weights are not supported" if isinstance(value, float) else ""
            raise InputError(f"{name} has {flag} {value!r:.20}, expected 0 or 1{fraction}{advice}")
        if not excluding and value == (flag in SKIP_FLAGS):
            excluding = f"{flag} {value!r}"
    return excluding
