"""A list of turns in one column: OpenAI's and Hugging Face's messages, ShareGPT's conversations, Gemini's
contents, and pairs of input and output."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.data.notes import Notes
from pipeline.data.refused import MEDIA, TOOLS, refused_key
from pipeline.data.values import MissingValueError, as_text, is_blank
from pipeline.errors import InputError
from pipeline.families.chat import Message, Role

NamedTurns = list[tuple[str, Message]]
"""Turns, each with its name in messages: a column, or "turn 2"."""

_NAMES: dict[Role, tuple[str, ...]] = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter"),
    "assistant": ("assistant", "model", "gpt", "chatgpt", "bot", "chatbot", "ai"),
}
ROLES: dict[str, Role] = {name: role for role, names in _NAMES.items() for name in names}
"""Recognized roles in lowercase, and their names in `Message`."""
TOOL_ROLES = frozenset(("tool", "function", "function_call", "function_response", "observation", "tool_call"))

ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value", "parts", "text")
LEARN_FLAGS = ("weight", "train", "training", "loss")
"""Keys that say whether a turn is learned: OpenAI's weight of 0 or 1, Axolotl's train."""


def read_turns(column: str, value: Any, notes: Notes) -> NamedTurns:
    """The turns in a value.

    Args:
        column: the column's name, for messages.
        value: a list of turns, or its JSON text.
        notes: counts the keys of turns that are not used, and numbers.

    Raises:
        MissingValueError: a turn is empty.
        InputError: the value is no list of turns, or has what cannot be learned.
    """
    if isinstance(value, str):  # A CSV field holds the list as text.
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{column} is text, but not a JSON list: {error}") from None
    if not isinstance(value, list) or not value:
        raise InputError(f"{column} is {value!r:.40}, expected a list of turns")
    if all(isinstance(turn, str) for turn in value):
        roles: tuple[Role, Role] = ("user", "assistant")
        value = [{"role": roles[index % 2], "content": text} for index, text in enumerate(value)]
    elif all(isinstance(turn, dict) and {"input", "output"} <= turn.keys() for turn in value):
        value = [turn for pair in value for turn in _pair(pair)]
    turns = [_turn(f"turn {number}", turn, notes) for number, turn in enumerate(value, start=1)]
    # An empty system turn is none.
    turns = [turn for turn in turns if turn[1]["role"] != "system" or not is_blank(turn[1]["content"])]
    for name, turn in turns:
        if is_blank(turn["content"]):
            raise MissingValueError(f"{name} is empty")
    if turns:
        _check_learned(turns[-1][0], value[-1])
    return turns


def is_turn(item: Mapping[str, Any]) -> bool:
    """Whether an object has a role and a text."""
    return any(key in item for key in ROLE_KEYS) and any(key in item for key in CONTENT_KEYS)


def _pair(pair: dict[str, Any]) -> list[dict[str, Any]]:
    """The turns of one pair of input and output."""
    system = [{"role": "system", "content": pair["system"]}] if pair.get("system") else []
    return [
        *system,
        {"role": "user", "content": pair["input"]},
        {"role": "assistant", "content": pair["output"]},
    ]


def _turn(name: str, turn: Any, notes: Notes) -> tuple[str, Message]:
    keys = turn if isinstance(turn, dict) else {}
    role_key = next((key for key in ROLE_KEYS if key in keys), None)
    if refused := refused_key(keys):
        raise InputError(f"{name} {refused}")
    content_key = next((key for key in CONTENT_KEYS if key in keys), None)
    if role_key is None or content_key is None:
        raise InputError(f"{name} must have role and content, found {turn!r:.80}")
    role = keys[role_key]
    known = role.strip().lower() if isinstance(role, str) else None
    if known in TOOL_ROLES:
        raise InputError(f"{name} has role {role!r:.40}: {TOOLS}")
    if known not in ROLES:
        raise InputError(f"{name} has role {role!r:.40}, expected one of {', '.join(ROLES)}")
    for key, value in keys.items():
        if key not in (role_key, content_key, *LEARN_FLAGS) and not is_blank(value):
            notes.turn_keys[key] += 1
    content = keys[content_key]
    return name, {"role": ROLES[known], "content": _content(name, content, notes)}


def _content(name: str, content: Any, notes: Notes) -> str:
    """The text of a turn: text, or a list of parts of text. Blank if there is none."""
    if is_blank(content):
        return ""
    if not isinstance(content, list):
        return as_text(name, content, notes)
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str) or part.get("type", "text") not in ("text", "input_text", "output_text"):
            kind = (
                part.get("type") or next(iter(part), None) if isinstance(part, dict) else type(part).__name__
            )
            raise InputError(f"{name} has a part of type {kind}: {MEDIA}")
        texts.append(text)
    return as_text(name, "".join(texts), notes) if any(texts) else ""


def _check_learned(name: str, turn: dict[str, Any]) -> None:
    """Refuse a last turn that its own flag excludes from learning, or weighs."""
    for flag in LEARN_FLAGS:
        value = turn.get(flag)
        if value is not None and value not in (0, 1):
            raise InputError(
                f"{name} has {flag} {value!r:.20}, expected 0 or 1: answers have no weights between"
            )
        if value is not None and not value:
            raise InputError(
                f"{name} has {flag} {value!r}: this answer is not to be learned, but it is the one that "
                "the row teaches; remove the row"
            )
