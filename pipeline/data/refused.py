"""Columns and keys of turns that change what the answer should be, and that fine-tuning cannot use."""

from collections.abc import Mapping
from typing import Any

from pipeline.data.values import is_blank

TOOLS = "tool calls, which fine-tuning does not support yet"
MEDIA = "images, audio or video, and fine-tuning uses text only"
PREFERENCES = "preference data, of which fine-tuning would learn one side: chosen"
CHOICES = "the choices of a question, which are not part of the prompt; write them into it"
WANTED = "true and false: in preference data, false marks an answer that is not wanted"
REASONING = (
    "reasoning, which Gemma's chat format has no place for; write it into the answer if it is to be learned"
)

_ANY = {
    TOOLS: ("tools", "functions", "tool_calls", "function_call", "tool_choice"),
    MEDIA: ("image", "images", "audio", "audios", "video", "videos"),
    PREFERENCES: ("chosen", "rejected"),
    REASONING: ("reasoning_content", "reasoning", "thinking", "cot", "complex_cot", "chain_of_thought"),
}
COLUMNS = {name: reason for reason, names in _ANY.items() for name in names}
"""Columns that are refused with any value."""
BY_TYPE: dict[str, tuple[type, str]] = {
    "choices": (list, CHOICES),
    "options": (list, CHOICES),
    "label": (bool, WANTED),
}
"""Columns that are refused with a value of a type; of other types they say something else."""

TURN_KEYS = {
    **COLUMNS,
    "tool_call_id": TOOLS,
    "refusal": "a refusal instead of an answer; write it as the content if it is to be learned",
    **dict.fromkeys(
        ("train_detail", "training_detail", "loss_weight"),
        "weights of parts of an answer, and answers are learned whole",
    ),
}
"""Keys of turns that are refused with any value."""


def refused_column(names: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The fault of the first column that cannot be used; empty if there is none.

    Args:
        names: the columns that hold something, by normalized name.
        values: the row.
    """
    for name, column in names.items():
        kind, reason = BY_TYPE.get(name, (object, COLUMNS.get(name, "")))
        if reason and isinstance(values[column], kind):
            return f"{column} holds {reason}; remove it, or name the columns to use in data.columns"
    return ""


def refused_key(turn: Mapping[str, Any]) -> str:
    """The fault of the first key of a turn that cannot be used; empty if there is none."""
    for key, reason in TURN_KEYS.items():
        if not is_blank(turn.get(key)):
            return f"has {key}: {reason}"
    return ""
