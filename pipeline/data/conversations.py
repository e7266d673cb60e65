"""From rows to examples: which columns hold the conversation, and whether it is valid.

Each module of `pipeline.data.forms` defines one form of conversation; to add one, add a file.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from pipeline.data import forms
from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.form import Form, NamedTurns
from pipeline.data.rows import Row
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message


def _discover() -> tuple[Form, ...]:
    modules = pkgutil.iter_modules(forms.__path__, f"{forms.__name__}.")
    found = [importlib.import_module(module.name).FORMS for module in modules]
    # Pairs of columns first, as messages list them.
    return tuple(sorted((form for each in found for form in each), key=lambda form: -len(form.columns)))


FORMS = _discover()
"""Every form of conversation that is recognized."""


@dataclass(frozen=True)
class Candidate:
    """An example that is still being checked, and where it was read."""

    place: Place
    example: Example


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
    found = [form for form in FORMS if columns.issuperset(form.columns)]
    if len(found) == 1:
        return found[0].read(values)
    if found:
        several = "; ".join(" and ".join(form.columns) for form in found)
        raise InputError(f"more than one conversation in columns {several}; keep one of them")
    partial = next((form for form in FORMS if columns.intersection(form.columns)), None)
    missing = "no question and answer columns"
    if partial:
        name = next(name for name in partial.columns if name not in columns)
        missing = f"{name} is {'empty' if name in values else 'missing'}"
    known = ", ".join("/".join(form.columns) for form in FORMS)
    raise InputError(f"{missing}; expected {known}; found columns {', '.join(values) or 'none'}")


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
