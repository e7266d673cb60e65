"""A list of turns in one column: OpenAI's and Hugging Face's messages, ShareGPT's conversations, Gemini's
contents, and pairs of input and output."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.data.json_text import explain, read_json_text
from pipeline.data.notes import Notes
from pipeline.data.refused import TOOLS, refused_key, refused_part
from pipeline.data.values import MissingValueError, as_text, is_blank
from pipeline.errors import InputError
from pipeline.families.chat import Message, Role


class Turn(NamedTuple):
    """A turn that is still being checked.

    Attributes:
        name: in messages: a column, or "turn 2".
        message: role and text.
        flags: the keys beside them that may exclude it from training.
        in_prompt: whether it is part of a column that is a prompt, so that it is never trained on.
    """

    name: str
    message: Message
    flags: Mapping[str, Any] = MappingProxyType({})
    in_prompt: bool = False


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
LEARN_FLAGS = ("weight", "train", "training", "loss", "learn", "trainable")
"""Keys that exclude a turn from training with 0 or false: OpenAI's weight, Axolotl's train."""
SKIP_FLAGS = ("mask", "masked", "skip")
"""Keys that exclude a turn from training with 1 or true."""


def read_turns(column: str, value: Any, notes: Notes) -> list[Turn]:
    """The turns in a value.

    Args:
        column: the column's name, for messages.
        value: a list of turns, or its JSON text.
        notes: counts the keys of turns that are not used, and numbers.

    Raises:
        MissingValueError: a turn is empty.
        InputError: the value is no list of turns, or has what fine-tuning cannot use.
    """
    if isinstance(value, str):  # A CSV field holds the list as text.
        try:
            value = read_json_text(value)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{column} is text, but not a JSON list: {explain(value, error)}") from None
    if not isinstance(value, list) or not value:
        raise InputError(f"{column} is {value!r:.40}, expected a list of turns")
    if all(isinstance(turn, str) for turn in value):
        roles: tuple[Role, Role] = ("user", "assistant")
        value = [{"role": roles[index % 2], "content": text} for index, text in enumerate(value)]
    elif all(isinstance(turn, dict) and {"input", "output"} <= turn.keys() for turn in value):
        value = [turn for number, pair in enumerate(value, start=1) for turn in _pair(number, pair)]
    read = [_turn(f"turn {number}", turn, notes) for number, turn in enumerate(value, start=1)]
    # An empty system turn is none.
    kept = [
        each for each in read if each.message["role"] != "system" or not is_blank(each.message["content"])
    ]
    for turn in kept:
        if is_blank(turn.message["content"]):
            raise MissingValueError(f"{turn.name} is empty")
    return kept


def is_turn(item: Mapping[str, Any]) -> bool:
    """Whether an object has a role and a text."""
    return any(key in item for key in ROLE_KEYS) and any(key in item for key in CONTENT_KEYS)


def turns_in_text(text: str) -> list[Any] | None:
    """The turns in a text that is a JSON list of them, as in a cell of CSV; None if it is other text."""
    if not text.lstrip().startswith("[") or not any(f'"{key}"' in text for key in ROLE_KEYS):
        return None
    try:
        value = read_json_text(text)
    except (ValueError, RecursionError):
        return None
    turns = isinstance(value, list) and all(isinstance(each, dict) and is_turn(each) for each in value)
    return value if turns and value else None


def _pair(number: int, pair: dict[str, Any]) -> list[dict[str, Any]]:
    """The turns of one pair of input and output; its other keys count as the answer's.

    Raises:
        InputError: a key says more about the question.
    """
    for key in ("instruction", "context"):
        if not is_blank(pair.get(key)):
            raise InputError(f"pair {number} has {key} as well as input; write it into input")
    system = [{"role": "system", "content": pair["system"]}] if pair.get("system") else []
    taken = ("system", "input", "output", *ROLE_KEYS, *CONTENT_KEYS)
    rest = {key: value for key, value in pair.items() if key not in taken}
    return [
        *system,
        {"role": "user", "content": pair["input"]},
        {"role": "assistant", "content": pair["output"]} | rest,
    ]


def _turn(name: str, turn: Any, notes: Notes) -> Turn:
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
        if key not in (role_key, content_key, *LEARN_FLAGS, *SKIP_FLAGS) and not is_blank(value):
            notes.turn_keys[key] += 1
    content = keys[content_key]
    flags = {key: keys[key] for key in (*LEARN_FLAGS, *SKIP_FLAGS) if key in keys}
    return Turn(name, {"role": ROLES[known], "content": _content(name, content, notes)}, flags)


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
        if not isinstance(part, dict):
            raise InputError(f"{name} has a part {part!r:.40}, expected text")
        if refused := refused_part(part):
            raise InputError(f"{name} {refused}")
        notes.turn_keys.update(
            key for key, value in part.items() if key not in ("type", "text") and not is_blank(value)
        )
        texts.append(part["text"])
    return as_text(name, "".join(texts), notes) if any(texts) else ""
