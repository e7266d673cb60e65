"""Which answers of a conversation are learned: all but those that a flag excludes, or the last one only."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.names import listed
from pipeline.data.policy import Loss
from pipeline.data.turns import LEARN_FLAGS, SKIP_FLAGS, Turn
from pipeline.errors import InputError


def learned_turns(turns: Sequence[Turn], loss: Loss) -> tuple[int, ...]:
    """The indices of the turns that are learned, ascending.

    Args:
        turns: of a conversation that ends with the assistant.
        loss: `last`: the last turn only. `all_assistant_turns`: every answer that no flag of its own excludes
            and that stands in no prompt.

    Raises:
        InputError: no answer is to be learned, or a flag weighs one.
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
        f"every answer of the conversation is excluded from learning ({excluded}); remove the row"
    )


def check_learned(name: str, flags: Mapping[str, Any]) -> None:
    """Refuse an answer that a flag beside it excludes from learning, or weighs.

    Args:
        name: of the turn, or of the row, for messages.
        flags: the turn or the row; other keys do not count.

    Raises:
        InputError: a flag does.
    """
    if flag := excluding_flag(name, flags):
        raise InputError(
            f"{name} has {flag}: this answer is not to be learned, but it is the one that the row teaches; "
            "remove the row"
        )


def excluding_flag(name: str, flags: Mapping[str, Any]) -> str:
    """The flag and value that exclude an answer from learning, such as "weight 0"; empty if none does.

    Args:
        name: of the turn, or of the row, for messages.
        flags: the turn or the row; other keys do not count.

    Raises:
        InputError: a flag weighs the answer.
    """
    for flag in SKIP_FLAGS:
        if flags.get(flag) == 1:
            return f"{flag} {flags[flag]!r}"
    for flag in LEARN_FLAGS:
        value = flags.get(flag)
        if value is not None and value not in (0, 1):
            raise InputError(
                f"{name} has {flag} {value!r:.20}, expected 0 or 1: answers have no weights between"
            )
        if value is not None and not value:
            return f"{flag} {value!r}"
    return ""
