"""docs/data.md says what is so: each example row in it is read."""

import json
import re
from pathlib import Path

import pytest

from pipeline.data import layout
from pipeline.data.conversations import read_conversations
from pipeline.data.faults import Faults, Place
from pipeline.data.policy import RowPolicy
from pipeline.data.readers import READERS
from pipeline.data.rows import COMPRESSED, Row
from pipeline.families.turns import CHAT

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"\| `(\{.*\})` \|$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_row_is_read(example: str) -> None:
    faults = Faults()
    rows = [Row(Place(Path("data.md")), json.loads(example))]
    (candidate,) = read_conversations(rows, RowPolicy(64), faults, CHAT).candidates
    assert not faults.found
    assert candidate.example.response in ("gold", "or", "silver")
    assert candidate.example.tags == {}


def test_there_is_an_example_of_every_conversation_column_of_a_form_of_its_own() -> None:
    assert len(EXAMPLES) >= 11


def test_every_name_and_every_suffix_that_is_known_is_on_the_page() -> None:
    names = (*layout.QUESTIONS, *layout.ANSWERS, *layout.INSTRUCTIONS, *layout.CONTEXTS, *layout.HISTORIES)
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert [suffix for suffix in (*READERS, *COMPRESSED) if f"{suffix}`" not in PAGE] == []
