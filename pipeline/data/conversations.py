"""From rows to examples: which columns hold the conversation, and whether it is valid."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.readers import Row
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message

MESSAGES = "messages"
SYSTEM = "system"
PAIRS = (("prompt", "response"), ("question", "answer"), ("prompt", "completion"), ("instruction", "output"))
"""Column names of question and answer that are recognized, as public data sets use them."""
CONTEXT = "input"
"""Beside instruction and output: text that the instruction refers to (Alpaca's form); it is appended after an empty line."""

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
}
"""Recognized roles, and their names in `Message`."""


@dataclass(frozen=True)
class Candidate:
    """An example that is still being checked, and where it was read."""

    place: Place
    example: Example


NamedTurns = list[tuple[str, Message]]
"""Turns, each with its name in messages: a column, or "turn 2"."""


def to_candidates(rows: list[Row], faults: Faults, chat: ChatFormat) -> list[Candidate]:
    """Read each row as a conversation; rows that are not are reported as faults and left out."""
    candidates = []
    for row in rows:
        try:
            candidates.append(Candidate(row.place, _to_example(row, chat)))
        except InputError as error:
            faults.add(row.place, str(error))
    return candidates


def _to_example(row: Row, chat: ChatFormat) -> Example:
    turns, used = _turns(row.values)
    for name, message in turns:
        if not message["content"].strip():
            raise InputError(f"{name} is empty")
        _check_text(name, message["content"], chat)
    messages = tuple(message for _, message in turns)
    _check_order(messages)
    tags = {
        name: str(value).strip()
        for name, value in row.values.items()
        if name not in used and isinstance(value, str | int | float) and str(value).strip()
    }
    for name, value in tags.items():
        _check_text(name, value, chat)
    return Example(messages, str(row.place), tags)


def _turns(values: dict[str, Any]) -> tuple[NamedTurns, set[str]]:
    """The conversation in a row, and the columns that it uses."""
    columns = {name for name, value in values.items() if value is not None}
    pairs = [pair for pair in PAIRS if columns.issuperset(pair)]
    if MESSAGES in columns and pairs:
        raise InputError(f"has both {MESSAGES} and {' and '.join(pairs[0])}; keep one of them")
    if MESSAGES in columns:
        return _messages(values[MESSAGES]), {MESSAGES}
    if len(pairs) > 1:
        found = "; ".join(" and ".join(pair) for pair in pairs)
        raise InputError(f"has more than one pair of question and answer columns: {found}; keep one pair")
    if pairs:
        return _pair(values, *pairs[0])
    half = next((pair for pair in PAIRS if columns.intersection(pair)), None)
    missing = "no question and answer columns"
    if half:
        name = next(name for name in half if name not in columns)
        missing = f"{name} is {'empty' if name in values else 'missing'}"
    known = ", ".join("/".join(pair) for pair in PAIRS)
    raise InputError(
        f"{missing}; expected {known} or {MESSAGES}, found columns {', '.join(values) or 'none'}"
    )


def _pair(values: dict[str, Any], question: str, answer: str) -> tuple[NamedTurns, set[str]]:
    used = {question, answer}
    prompt, response = (_text(name, values[name]) for name in (question, answer))
    if question == "instruction" and values.get(CONTEXT) is not None:
        used.add(CONTEXT)
        context = _text(CONTEXT, values[CONTEXT])
        if context.strip():
            prompt = f"{prompt.strip()}\n\n{context.strip()}"
    turns: NamedTurns = [
        (question, {"role": "user", "content": prompt}),
        (answer, {"role": "assistant", "content": response}),
    ]
    if values.get(SYSTEM) is not None:
        used.add(SYSTEM)
        system = _text(SYSTEM, values[SYSTEM])
        if system.strip():
            turns.insert(0, (SYSTEM, {"role": "system", "content": system}))
    return turns, used


def _messages(value: Any) -> NamedTurns:
    if isinstance(value, str):  # A CSV field holds the list as text.
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{MESSAGES} is text, but not a JSON list: {error}") from None
    if not isinstance(value, list) or not value:
        raise InputError(f"{MESSAGES} is {value!r:.40}, expected a list of turns")
    turns: NamedTurns = []
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
            raise InputError(f"turn {number} must have role and content, found {turn!r:.80}")
        role = turn["role"]
        if not isinstance(role, str) or role not in ROLES:
            raise InputError(f"turn {number} has role {role!r:.40}, expected one of {', '.join(ROLES)}")
        turns.append(
            (f"turn {number}", {"role": ROLES[role], "content": _text(f"turn {number}", turn["content"])})
        )
    return turns


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is {type(value).__name__} {value!r:.40}, expected text")
    return value


def _check_text(name: str, text: str, chat: ChatFormat) -> None:
    token = chat.control_token_in(text)
    if token:
        raise InputError(
            f"{name} contains the control token {token}, which the model would read as structure; remove it"
        )
    if "\0" in text:
        raise InputError(f"{name} contains a NUL character; remove it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} is not valid Unicode: unpaired surrogate at character {error.start + 1}"
        ) from None


def _check_order(messages: tuple[Message, ...]) -> None:
    first = 1 if messages[0]["role"] == "system" else 0
    for number, message in enumerate(messages[first:]):
        expected = "assistant" if number % 2 else "user"
        if message["role"] != expected:
            raise InputError(
                f"roles out of order: turn {number + first + 1} is {message['role']}, expected {expected} "
                "(an optional system turn, then user and assistant in turn)"
            )
    if messages[-1]["role"] != "assistant":
        raise InputError(
            "the last turn must be the assistant's: it is the response that the model is trained on"
        )
