"""Columns that the recipe names, and proposals where it names none."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.data.conversations import read_conversations
from pipeline.data.faults import Faults
from pipeline.data.policy import RowPolicy
from pipeline.data.rows import Row
from pipeline.families.turns import CHAT
from tests.support.conversations import (
    ASSISTANT,
    PLACE,
    POLICY,
    SYSTEM,
    USER,
    columns,
    example_of,
    fault_of,
    read,
)


@pytest.mark.parametrize(
    ("values", "named", "prompt"),
    [
        ({"text": "Q", "category": "A"}, {"prompt": "text", "response": "category"}, "Q"),
        (
            {"text": "Q", "label": 3, "category": "A"},
            {"template": "Say: {text}", "response": "category"},
            "Say: Q",
        ),
        ({"a b": "Q", "c": "x", "answer": "A"}, {"template": "{a b} {{{c}}}"}, "Q {x}"),
        ({"text": "Q", "answer": "A", "question": "other"}, {"prompt": "text"}, "Q"),
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, {"response": "chosen"}, "Q"),
        ({"data": {"q": "Q", "a": "A"}}, {"prompt": "data.q", "response": "data.a"}, "Q"),
        ({"question": "Q", "answers": {"text": ["A"]}}, {"response": "answers.text"}, "Q"),
    ],
)
def test_a_recipe_names_columns(values: dict[str, Any], named: dict[str, str], prompt: str) -> None:
    example = example_of(values, columns(**named))
    assert (example.question, example.response) == (prompt, "A")


def test_named_columns_of_conversations_and_system_messages() -> None:
    values = {"talk": [USER, ASSISTANT], "prompt": "other", "persona": "S"}
    assert example_of(values, columns(messages="talk", system="persona")).messages == (
        SYSTEM,
        USER,
        ASSISTANT,
    )


def test_a_file_without_the_named_columns_is_read_by_the_usual_names_where_that_is_allowed() -> None:
    usual, named = {"prompt": "Q", "response": "A"}, {"prompt": "text", "response": "category"}
    assert example_of(usual, columns(**named, optional=True)).question == "Q"
    what = fault_of(usual, columns(**named))
    assert what == "data.columns.prompt is text, which is not a column; found prompt, response"
    assert "data.template's {x} is x, which is not a column" in fault_of(usual, columns(template="{x}"))


@pytest.mark.parametrize(
    ("values", "proposal"),
    [
        ({"text": "Q", "category": "A"}, "{prompt: text, response: category}"),
        ({"sentence": "Q", "label": 1, "idx": 3}, "{prompt: sentence, response: label}"),
        ({"en": "Q", "fr": "A"}, "{prompt: en, response: fr}"),
        ({"id": "1", "summary": "A", "document": "Q"}, "{prompt: document, response: summary}"),
        ({"text": "Q", "code": "A", "test_list": ["t"]}, "{prompt: text, response: code}"),
        (
            {"title": "Q", "answers": {"id": ["x"], "text": ["A"]}},
            "{prompt: title, response: answers.text}",
        ),
        ({"system": "S", "summary": "A"}, "{prompt: …, response: …}"),
        ({"data": {"prompt": "Q", "response": "A"}}, "{prompt: data.prompt, response: data.response}"),
        ({"question": "Q", "answers": {"text": ["A"]}}, "{prompt: question, response: answers.text}"),
        ({"a": "Q", "b": "A", "c": "?"}, "{prompt: …, response: …}"),
    ],
)
def test_unknown_columns_get_a_proposal(values: dict[str, Any], proposal: str) -> None:
    what = fault_of(values)
    assert what.startswith("no prompt and response columns; found ")
    assert what.endswith(f"data.columns: {proposal}") or f"data.columns: {proposal}" in what


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"dialogue": "A: hi", "summary": "S"}, "set data.columns: {prompt: dialogue, response: summary}"),
        ({"system": "S", "chat": "USER: hi"}, "set data.columns: {prompt: …, response: …} to two of them"),
    ],
)
def test_a_conversation_in_running_text_is_refused(values: dict[str, Any], advice: str) -> None:
    what = fault_of(values)
    assert " is text, expected a list of turns; " in what
    assert what.endswith(advice)


def test_a_missing_header_line_is_recognized() -> None:
    what = fault_of({"How many moons has Mars got?": "And Venus?", "It has two.": "None at all."})
    assert "the first line looks like data: add a header line" in what


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({"instruction": "Do it", "input": "nan", "output": "b"}, POLICY),
        ({"text": "#N/A", "answer": "b"}, columns(template="Classify: {text}")),
        ({"prompt": "Q", "response": "A", "system": "None"}, POLICY),
    ],
)
def test_each_part_of_a_prompt_and_the_system_message_may_be_missing(
    values: dict[str, Any], policy: RowPolicy
) -> None:
    assert "which marks a missing value" in fault_of(values, policy)
    assert example_of(values, replace(policy, missing="keep")).response


def test_a_named_system_message_counts_in_the_rows_that_have_one() -> None:
    rows = [
        {"q": "a", "r": "b", "meta": {"system": text}} if text is not None else {"q": "a", "r": "b"}
        for text in ("", "S", None, "S")
    ]
    found = read(*rows, policy=columns(prompt="q", response="r", system="meta.system"))
    assert [len(candidate.example.messages) for candidate in found.candidates] == [2, 3, 2, 3]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            {"system": "personna"},
            "data.columns.system is personna, which is not a column; found prompt, meta",
        ),
        ({"response": "meta.answer"}, "data.columns.response is meta.answer, which is not a column"),
        ({"messages": "m", "response": "r"}, "data.columns.response is r, which is not a column"),
        ({"messages": "meta", "response": "prompt"}, "data.columns.messages names a whole conversation"),
        ({"prompt": "prompt", "response": "prompt"}, "column prompt is both prompt and response"),
        ({"template": "{prompt} {meta}", "response": "meta"}, "column meta is both prompt and response"),
    ],
)
def test_impossible_column_names_in_the_recipe_are_refused_once(names: dict[str, str], fault: str) -> None:
    faults = Faults()
    rows = [Row(PLACE, {"prompt": "Q", "meta": {"a": "A"}})] * 3
    read_conversations(rows, columns(**names), faults, CHAT)
    assert {what for _, what in faults.found} == {faults.found[0][1]}
    assert faults.found[0][1].startswith(fault)


def test_a_file_with_some_of_the_named_columns_is_read_by_the_usual_names_where_that_is_allowed() -> None:
    row = {"text": "T", "question": "Q", "answer": "A"}
    assert example_of(row, columns(prompt="text", response="label", optional=True)).response == "A"
