"""Reading rows as conversations in tests."""

from pathlib import Path
from typing import Any

from pipeline.data.conversations import Conversations, read_conversations
from pipeline.data.examples import Example
from pipeline.data.faults import Faults, Place
from pipeline.data.policy import ColumnNames, RowPolicy
from pipeline.data.rows import Row
from pipeline.families.turns import CHAT

PLACE = Place(Path("rows.jsonl"), 7)


SYSTEM = {"role": "system", "content": "S"}


USER = {"role": "user", "content": "Q"}


ASSISTANT = {"role": "assistant", "content": "A"}


POLICY = RowPolicy(max_length=64)


def read(*rows: dict[str, Any], policy: RowPolicy = POLICY) -> Conversations:
    faults = Faults()
    found = read_conversations([Row(PLACE, values) for values in rows], policy, faults, CHAT)
    assert not faults.found
    return found


def example_of(values: dict[str, Any], policy: RowPolicy = POLICY) -> Example:
    return read(values, policy=policy).candidates[0].example


def fault_of(values: dict[str, Any], policy: RowPolicy = POLICY) -> str:
    faults = Faults()
    assert read_conversations([Row(PLACE, values)], policy, faults, CHAT).candidates == []
    ((place, what),) = faults.found
    assert str(place) == "rows.jsonl line 7"
    return what


def columns(**names: Any) -> RowPolicy:
    return RowPolicy(max_length=64, columns=ColumnNames(**names))
