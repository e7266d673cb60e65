from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import forms
from pipeline.data.conversations import FORMS, to_candidates
from pipeline.data.examples import Example, read_examples, write_examples
from pipeline.data.faults import Faults, Place
from pipeline.data.rows import Row
from pipeline.families.turns import CHAT

PLACE = Place(Path("rows.jsonl"), 7)
USER = {"role": "user", "content": "Q"}
ASSISTANT = {"role": "assistant", "content": "A"}


def example_of(values: dict[str, Any]) -> Example:
    faults = Faults()
    (candidate,) = to_candidates([Row(PLACE, values)], faults, CHAT)
    assert not faults.found
    return candidate.example


def fault_of(values: dict[str, Any]) -> str:
    faults = Faults()
    assert to_candidates([Row(PLACE, values)], faults, CHAT) == []
    ((place, what),) = faults.found
    assert str(place) == "rows.jsonl line 7"
    return what


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "Q", "response": "A"},
        {"question": "Q", "answer": "A"},
        {"prompt": "Q", "completion": "A"},
        {"instruction": "Q", "output": "A"},
        {"instruction": "Q", "output": "A", "input": ""},
        {"prompt": "Q", "response": "A", "messages": None},
        {"messages": [USER, ASSISTANT]},
        {"messages": [USER, {"role": "model", "content": "A"}]},
        {"messages": '[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]'},
    ],
)
def test_each_known_form_is_the_same_conversation(values: dict[str, Any]) -> None:
    assert example_of(values).messages == (USER, ASSISTANT)


def test_instruction_and_input_become_one_question() -> None:
    example = example_of({"instruction": "Translate.", "input": "Gold", "output": "aurum"})
    assert (example.question, example.tags) == ("Translate.\n\nGold", {})


def test_a_system_column_comes_first() -> None:
    example = example_of({"system": "Be brief.", "prompt": "Q", "response": "A"})
    assert [turn["role"] for turn in example.messages] == ["system", "user", "assistant"]
    assert example.tags == {}


def test_other_columns_become_tags_and_the_source_is_kept() -> None:
    example = example_of(
        {"prompt": "Q", "response": "A", "kind": "symbol", "level": 3, "none": None, "list": [1]}
    )
    assert example.tags == {"kind": "symbol", "level": "3"}
    assert example.source == "rows.jsonl line 7"


def test_examples_read_back_as_written(tmp_path: Path) -> None:
    examples = [example_of({"prompt": "one\u2028two\nthree", "response": "A\u0085金", "kind": "x"})]
    write_examples(tmp_path / "train.jsonl", examples)
    assert read_examples(tmp_path / "train.jsonl") == examples


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"prompt": "Q", "response": "  \n"}, "response is empty"),
        ({"prompt": "", "response": "A"}, "prompt is empty"),
        ({"prompt": "Q", "response": None}, "response is empty"),
        ({"prompt": "Q"}, "response is missing"),
        ({"text": "Q"}, "no question and answer columns; expected prompt/response"),
        ({}, "found columns none"),
        ({"prompt": 5, "response": "A"}, "prompt is int 5, expected text"),
        ({"prompt": "Q", "response": ["A"]}, "response is list ['A'], expected text"),
        ({"prompt": "Q", "response": "A", "system": 1}, "system is int 1, expected text"),
        (
            {"prompt": "Q", "response": "A", "question": "Q", "answer": "A"},
            "more than one conversation in columns prompt and response; question and answer; keep one",
        ),
        (
            {"prompt": "Q", "response": "A", "messages": [USER, ASSISTANT]},
            "more than one conversation in columns prompt and response; messages; keep one",
        ),
        ({"messages": []}, "messages is [], expected a list of turns"),
        ({"messages": "not json"}, "messages is text, but not a JSON list"),
        ({"messages": {"role": "user"}}, "expected a list of turns"),
        ({"messages": ["hello"]}, "turn 1 must have role and content"),
        ({"messages": [{"role": "user"}]}, "turn 1 must have role and content"),
        (
            {"messages": [USER, {"role": "tool", "content": "A"}]},
            "turn 2 has role 'tool', expected one of system, user",
        ),
        ({"messages": [{"role": ["user"], "content": "A"}]}, "turn 1 has role ['user']"),
        ({"messages": [USER, {"role": "assistant", "content": 1}]}, "turn 2 is int 1, expected text"),
        ({"messages": [USER, {"role": "assistant", "content": ""}]}, "turn 2 is empty"),
        ({"messages": [ASSISTANT, USER]}, "roles out of order: turn 1 is assistant, expected user"),
        ({"messages": [USER, USER, ASSISTANT]}, "roles out of order: turn 2 is user, expected assistant"),
        (
            {"messages": [USER, {"role": "system", "content": "S"}, ASSISTANT]},
            "turn 2 is system, expected assistant",
        ),
        ({"messages": [USER]}, "the last turn must be the assistant's"),
        ({"messages": [{"role": "system", "content": "S"}]}, "the last turn must be the assistant's"),
        ({"prompt": "a\0b", "response": "A"}, "prompt contains a NUL character"),
        (
            {"prompt": "Q", "response": "a\ud800"},
            "response is not valid Unicode: unpaired surrogate at character 2",
        ),
        ({"prompt": "Q", "response": "A", "kind": "a\ud800"}, "kind is not valid Unicode"),
    ],
)
def test_each_fault_says_what_is_wrong(values: dict[str, Any], what: str) -> None:
    assert what in fault_of(values)


@pytest.mark.parametrize("token", CHAT.control_tokens)
def test_control_tokens_inside_text_are_refused(token: str) -> None:
    assert f"prompt contains the control token {token}" in fault_of(
        {"prompt": f"hi{token}there", "response": "A"}
    )
    assert f"turn 2 contains the control token {token}" in fault_of(
        {"messages": [USER, {"role": "assistant", "content": f"A{token}"}]}
    )


def test_every_module_of_forms_is_found() -> None:
    modules = {path.stem for path in Path(forms.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == {
        form.read.func.__module__.rpartition(".")[2]
        if isinstance(form.read, partial)
        else form.read.__module__.rpartition(".")[2]
        for form in FORMS
    }
    assert len({form.columns for form in FORMS}) == len(FORMS)
