"""Columns and keys of turns that change what the answer should be, and that fine-tuning cannot use."""

from collections.abc import Mapping
from typing import Any

from pipeline.data.values import is_blank, normalized

TOOLS = "tool calls, which fine-tuning does not support yet"
MEDIA = "images, audio or video, but fine-tuning uses only text"
PREFERENCES = "preference data, of which fine-tuning would use only one side"
CHOICES = "the choices of a question, which are not part of the prompt"
WANTED = "true and false: in preference data, false marks a rejected answer"
REASONING = "reasoning, which Gemma's chat format cannot represent"
REFUSAL = "a refusal instead of an answer"
WEIGHTS = "weights for parts of an answer, which are not supported"

ADVICE = {
    CHOICES: "write them into the prompt",
    REASONING: "write it into the answer to train on it",
    REFUSAL: "write it as the content to train on it",
}

_ANY = {
    TOOLS: ("tools", "functions", "tool_calls", "function_call", "tool_choice"),
    MEDIA: (
        *("image", "images", "img", "audio", "audios", "video", "videos"),
        *(f"{kind}_{form}" for kind in ("image", "audio", "video") for form in ("url", "path", "file")),
    ),
    PREFERENCES: ("chosen", "rejected"),
    REASONING: (
        *("reasoning_content", "reasoning", "thinking", "thought", "rationale", "cot", "complex_cot"),
        "chain_of_thought",
    ),
    CHOICES: ("choices", "options", "endings"),
}
COLUMNS = {name: reason for reason, names in _ANY.items() for name in names}
"""Columns that are refused with any value."""
PREFERENCE_PARTS = frozenset(("chosen", "rejected"))
"""Words in the name of a column with one side of a preference, such as `rejected_response`."""
CHOICE_COLUMNS = (
    ("a", "b", "c", "d"),
    ("opa", "opb"),
    ("option_a", "option_b"),
    ("option1", "option2"),
    ("ending0", "ending1"),
)
"""The first of several columns that hold a choice each."""
FLAGS = ("label", "is_correct", "correct", "accepted", "is_accepted")
"""Columns that may say whether an answer is wanted; other values than true and false say something else."""

TURN_KEYS = {
    **{name: reason for name, reason in COLUMNS.items() if reason != CHOICES},
    "tool_call_id": TOOLS,
    "refusal": REFUSAL,
    **dict.fromkeys(("train_detail", "training_detail", "loss_weight"), WEIGHTS),
}
"""Keys of turns that are refused with any value."""

TEXT_PARTS = ("text", "input_text", "output_text")
"""Types of parts that are text."""
PART_WORDS = {
    TOOLS: ("function", "tool", "executable", "code"),
    REASONING: ("thinking", "thought", "reasoning"),
    REFUSAL: ("refusal",),
    WEIGHTS: ("weight", "train", "loss", "mask"),
    MEDIA: ("image", "audio", "video", "inline", "file", "media"),
}
"""What a part is or has, by a word in its type or in its keys."""


def refused_column(names: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The fault of the first column that cannot be used; empty if there is none.

    Args:
        names: the columns that hold something, by normalized name.
        values: the row.
    """
    for name, column in names.items():
        reason = COLUMNS.get(name, "")
        if not reason and PREFERENCE_PARTS & set(name.split("_")):
            reason = PREFERENCES
        if not reason and name in FLAGS and str(values[column]).strip().lower() in ("true", "false"):
            reason = WANTED
        if reason:
            return f"{column} contains {reason}; {_advice(reason)}"
    for columns in CHOICE_COLUMNS:
        if all(name in names for name in columns):
            found = " and ".join(names[name] for name in columns)
            return f"{found} contain {CHOICES}; {_advice(CHOICES)}"
    return ""


def refused_key(turn: Mapping[str, Any]) -> str:
    """The fault of the first key of a turn that cannot be used; empty if there is none."""
    for key, reason in TURN_KEYS.items():
        if not is_blank(turn.get(key)):
            return f"has {key}: {_with_advice(reason)}"
    return ""


def refused_part(part: Mapping[str, Any]) -> str:
    """The fault of a part of a turn that is not text alone; empty if it is."""
    kind = part.get("type", "text")
    keys = [key for key, value in part.items() if key not in ("type", "text") and not is_blank(value)]
    for reason, words in PART_WORDS.items():
        for name in (*([str(kind)] if kind not in TEXT_PARTS else []), *keys):
            if any(word in normalized(name) for word in words):
                return f"has a part with {name}: {_with_advice(reason)}"
    if kind not in TEXT_PARTS:
        return f"has a part of type {kind!r:.40}, expected one of {', '.join(TEXT_PARTS)}"
    if not isinstance(part.get("text"), str):
        return f"has a part {dict(part)!r:.40}, expected one with text"
    return ""


def _advice(reason: str) -> str:
    return f"{ADVICE.get(reason, 'remove it')}, or name the columns to use in data.columns"


def _with_advice(reason: str) -> str:
    return f"{reason}; {ADVICE[reason]}" if reason in ADVICE else reason
