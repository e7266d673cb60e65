"""A list of turns with role and content in one column, as in OpenAI's chat format."""

import json
from typing import Any

from pipeline.data.form import Form, NamedTurns, text
from pipeline.errors import InputError
from pipeline.families.chat import Role

MESSAGES = "messages"

ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "model": "assistant"}
"""Recognized roles, and their names in `Message`."""


def _read(values: dict[str, Any]) -> tuple[NamedTurns, set[str]]:
    value = values[MESSAGES]
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
            (f"turn {number}", {"role": ROLES[role], "content": text(f"turn {number}", turn["content"])})
        )
    return turns, {MESSAGES}


FORMS = (Form((MESSAGES,), _read),)
