from pathlib import Path
from typing import Any

import pytest

from pipeline.data.examples import read_examples, write_examples
from pipeline.data.policy import RowPolicy
from pipeline.families.turns import CHAT
from tests.support.conversations import ASSISTANT, SYSTEM, USER, example_of, fault_of, read


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "Q", "response": "A"},
        {"question": "Q", "answer": "A"},
        {"prompt": "Q", "completion": "A"},
        {"query": "Q", "response": "A"},
        {"problem": "Q", "solution": "A"},
        {"input": "Q", "output": "A"},
        {"input_text": "Q", "output_text": "A"},
        {"inputs": "Q", "targets": "A"},
        {"kind": "k", "input": "Q", "target": "A"},
        {"User": "Q", "Assistant": "A"},
        {" Prompt ": "Q", "RESPONSE": "A"},
        {"instruction": "Q", "output": "A"},
        {"instruction": "Q", "output": "A", "input": "", "history": []},
        {"prompt": "Q", "response": "A", "messages": None, "tools": [], "images": None},
        {"prompt": "Q", "response": "A", "instruction": "", "output": " "},
        {"messages": [USER, ASSISTANT]},
        {"messages": [USER, {"role": "model", "content": "A"}]},
        {"messages": [{"role": "User", "content": "Q"}, {"role": "ASSISTANT", "content": "A"}]},
        {"messages": [{"role": "system", "content": ""}, USER, ASSISTANT]},
        {"messages": [USER, {"role": "assistant", "content": "A", "tool_calls": None, "weight": 1}]},
        {"messages": [USER | {"content": [{"type": "text", "text": "Q"}]}, ASSISTANT | {"content": ["A"]}]},
        {"messages": '[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]'},
        {"prompt": "Q", "messages": [USER, ASSISTANT]},
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        {"conversation": [{"input": "Q", "output": "A"}]},
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Q"}]},
                {"role": "model", "parts": [{"text": "A"}]},
            ]
        },
        {"dialog": ["Q", "A"]},
        {"prompt": [USER], "completion": [ASSISTANT]},
    ],
    ids=lambda values: "+".join(values),
)
def test_each_usual_form_is_the_same_conversation(values: dict[str, Any]) -> None:
    example = example_of(values)
    assert [turn | {"content": turn["content"].strip()} for turn in example.messages] == [USER, ASSISTANT]


@pytest.mark.parametrize(
    ("values", "prompt"),
    [
        ({"instruction": "I", "input": "C", "output": "A"}, "I\n\nC"),
        ({"instruction": "I", "context": "C", "response": "A"}, "I\n\nC"),
        ({"question": "Q", "context": "C", "answer": "A"}, "Q\n\nC"),
        ({"prompt": "Q", "input": "C", "response": "A"}, "Q\n\nC"),
        ({"instruction": "I", "prompt": "Q", "response": "A"}, "I\n\nQ"),
        ({"instruction": "I", "question": "Q", "passage": "C", "answer": "A"}, "I\n\nQ\n\nC"),
    ],
)
def test_what_a_question_refers_to_is_part_of_the_prompt(values: dict[str, Any], prompt: str) -> None:
    example = example_of(values)
    assert (example.question, example.response, example.tags) == (prompt, "A", {})


@pytest.mark.parametrize(
    "values",
    [
        {"system": "S", "prompt": "Q", "response": "A"},
        {"system_prompt": "S", "prompt": "Q", "response": "A"},
        {"System Message": "S", "messages": [USER, ASSISTANT]},
        {"system": "S", "messages": [SYSTEM, USER, ASSISTANT]},
        {"messages": [{"role": "developer", "content": "S"}, USER, ASSISTANT]},
        {"systemInstruction": {"parts": [{"text": "S"}]}, "contents": [USER, ASSISTANT]},
        {"conversation": [{"system": "S", "input": "Q", "output": "A"}]},
    ],
    ids=lambda values: "+".join(values),
)
def test_a_system_message_comes_first(values: dict[str, Any]) -> None:
    assert example_of(values).messages == (SYSTEM, USER, ASSISTANT)


def test_history_is_earlier_turns() -> None:
    example = example_of({"instruction": "Q", "output": "A", "history": [["Q1", "A1"], ["Q2", "A2"]]})
    assert [turn["content"] for turn in example.messages] == ["Q1", "A1", "Q2", "A2", "Q", "A"]


def test_short_values_become_tags_and_what_is_left_out_is_named() -> None:
    rows = [
        {
            "prompt": f"Q{number}",
            "response": "A",
            "kind": "ab"[number % 2],
            "level": number % 3,
            "id": f"x{number}",
            "key": f"x{number}",
            "list": [1],
            "object": {"a": 1},
            "rendered": "<start_of_turn>user\nQ<end_of_turn>",
            "none": None,
            "broken": "\ud800",
        }
        for number in range(30)
    ]
    found = read(*rows)
    assert found.candidates[3].example.tags == {"kind": "b", "level": "0"}
    assert found.notes.tags == ["kind", "level"]
    assert found.notes.unused == {
        "id": "numbers of rows",
        "key": "30 different values",
        "list": "lists",
        "object": "objects",
        "rendered": "long text",
        "broken": "not valid Unicode",
    }
    text = "\n".join(found.notes.lines())
    assert "tags: kind, level" in text
    assert "unused columns: id (numbers of rows), key (30 different values), list (lists)" in text


def test_all_that_reading_decided_is_noted() -> None:
    found = read(
        {"prompt": "Q", "response": 42},
        {"messages": [USER, ASSISTANT, USER | {"name": "ann"}, ASSISTANT]},
    )
    assert found.candidates[0].example.response == "42"
    assert found.notes.lines() == [
        "prompt from prompt, response from response (1 row)",
        "conversation from messages (1 row)",
        "unused keys of turns: name (1)",
        "numbers, converted to text: 1",
    ]


@pytest.mark.parametrize("mark", ["nan", "NaN", "None", "null", "#N/A", "<NA>", " #REF! "])
@pytest.mark.parametrize("side", ["prompt", "response"])
def test_marks_of_missing_values_are_refused_dropped_or_kept(side: str, mark: str) -> None:
    values = {"prompt": "Q", "response": "A"} | {side: mark}
    assert fault_of(values).startswith(f"{side} is {mark.strip()!r}, which marks a missing value")
    assert read(values, policy=RowPolicy(64, missing="drop")).missing == 1
    kept = read(values, policy=RowPolicy(64, missing="keep"))
    assert (len(kept.candidates), kept.notes.marks) == (1, 1)


@pytest.mark.parametrize("blank", ["", " \n", "\u00a0", "\u200b", None, float("nan")])
def test_rows_without_an_answer_are_refused_or_dropped_but_never_kept(blank: Any) -> None:
    values = {"prompt": "Q", "response": blank}
    assert fault_of(values) == "response is empty; to skip such rows, set data.missing to drop"
    assert fault_of(values, RowPolicy(64, missing="keep")).startswith("response is empty")
    assert read(values, policy=RowPolicy(64, missing="drop")).missing == 1


def test_line_ends_are_line_feeds() -> None:
    assert example_of({"prompt": "a\r\nb", "response": "c\rd"}).messages[0]["content"] == "a\nb"


@pytest.mark.parametrize(
    ("written", "learned"),
    [
        ("    return x\n    y\n", "    return x\n    y"),
        ("\n  \n    return x\n", "return x"),
        ("\n\n\tif x:\n\t\ty  ", "\tif x:\n\t\ty"),
        (" Flag 0 is blue. ", "Flag 0 is blue."),
    ],
)
def test_the_indentation_of_an_answer_in_lines_is_kept(written: str, learned: str) -> None:
    example = example_of({"prompt": "Q", "response": written})
    assert example.response == learned
    assert CHAT.render_answer(example.messages[-1]["content"]) == learned + CHAT.end_of_turn


def test_examples_read_back_as_written(tmp_path: Path) -> None:
    examples = [example_of({"prompt": "one\u2028two\nthree", "response": "A\u0085金", "kind": "x"})]
    write_examples(tmp_path / "train.jsonl", examples)
    assert read_examples(tmp_path / "train.jsonl") == examples


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"prompt": "", "response": "A"}, "prompt is empty"),
        ({"prompt": "Q"}, "no prompt and response columns; found prompt"),
        ({}, "found none"),
        ({"prompt": True, "response": "A"}, "prompt is a boolean, true; expected text"),
        (
            {"prompt": "Q", "response": 3.5},
            "response is a number with a fraction, 3.5; expected text: write what the model should see",
        ),
        ({"prompt": "Q", "response": ["A"]}, 'response is a list, ["A"]; expected text'),
        ({"prompt": "Q", "response": "A", "system": {"a": 1}}, "turn 1 must have role and content"),
        (
            {"prompt": "Q", "response": "A", "Prompt": "Q"},
            "columns prompt and Prompt count as the same name",
        ),
        (
            {"prompt": "Q", "question": "Q", "answer": "A"},
            'data.template to both: "{prompt}\\n\\n{question}"',
        ),
        ({"prompt": "Q", "response": "A", "completion": "A"}, "set data.columns.response to one of them"),
        (
            {"prompt": "Q", "response": "A", "messages": [USER, ASSISTANT]},
            "more than one conversation",
        ),
        (
            {"context": "C", "messages": [USER, ASSISTANT]},
            "context is not part of the conversation in messages",
        ),
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, "chosen contains preference data"),
        ({"prompt": "Q", "response": "A", "rejected": "B"}, "rejected contains preference data"),
        ({"question": "Q", "choices": ["A", "B"], "answer": 0}, "choices contains the choices"),
        (
            {"prompt": "Q", "completion": "A", "label": False},
            "label contains true and false",
        ),
        (
            {"messages": [USER, ASSISTANT | {"train_detail": [1]}]},
            "turn 2 has train_detail: weights for parts",
        ),
        ({"messages": [USER, ASSISTANT], "tools": [{"name": "f"}]}, "tools contains tool calls"),
        ({"Question": "Q", "Complex_CoT": "because", "Response": "A"}, "Complex_CoT contains reasoning"),
        ({"prompt": "Q", "response": "A", "image": "x.png"}, "image contains images, audio or video"),
        ({"messages": [USER, ASSISTANT | {"tool_calls": [{"id": 1}]}]}, "turn 2 has tool_calls: tool calls"),
        ({"messages": [USER | {"images": ["x"]}, ASSISTANT]}, "turn 1 has images: images, audio or video"),
        (
            {"messages": [USER, ASSISTANT | {"reasoning_content": "hm"}]},
            "turn 2 has reasoning_content: reasoning",
        ),
        ({"messages": [USER, ASSISTANT | {"content": None, "refusal": "no"}]}, "turn 2 has refusal"),
        (
            {"messages": [USER | {"content": [{"type": "image_url", "image_url": "x"}]}, ASSISTANT]},
            "image_url",
        ),
        ({"messages": [USER, {"role": "tool", "content": "A"}]}, "turn 2 has role 'tool': tool calls"),
        (
            {"messages": [USER, ASSISTANT | {"weight": 0}]},
            "turn 2 has weight 0: this flag excludes the only answer in the row from training; remove",
        ),
        ({"messages": [USER, ASSISTANT | {"train": False}]}, "turn 2 has train False: this flag"),
        ({"messages": [USER, ASSISTANT | {"weight": 0.5}]}, "turn 2 has weight 0.5, expected 0 or 1"),
        ({"system": "T", "messages": [SYSTEM, USER, ASSISTANT]}, "two different system messages"),
        (
            {"instruction": "Q", "output": "A", "history": ["Q1", "A1"]},
            "expected a list of question-answer pairs",
        ),
        (
            {"conversation": [{"input": "Q", "output": "A", "instruction": "Do"}]},
            "pair 1 has instruction as well as input; write it into input",
        ),
        (
            {"conversation": [{"input": "Q", "output": "A", "loss": False}]},
            "turn 2 has loss False: this flag",
        ),
        ({"conversation": [{"input": "Q", "output": "A", "tool_calls": [1]}]}, "turn 2 has tool_calls"),
        ({"messages": [USER, ASSISTANT | {"weight": 0}, SYSTEM | {"content": ""}]}, "turn 2 has weight 0"),
        ({"messages": [USER, ASSISTANT | {"masked": True}]}, "turn 2 has masked True: this flag"),
        (
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "Q", "inlineData": {"data": "x"}}]},
                    ASSISTANT,
                ]
            },
            "turn 1 has a part with inlineData: images",
        ),
        (
            {
                "contents": [
                    USER,
                    {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "A"}]},
                ]
            },
            "turn 2 has a part with thought: reasoning",
        ),
        (
            {"messages": [USER, ASSISTANT | {"content": [{"type": "text", "text": "A", "weight": 0}]}]},
            "turn 2 has a part with weight: weights for parts",
        ),
        (
            {"contents": [USER, {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]},
            "turn 2 has a part with functionCall: tool calls",
        ),
        (
            {"messages": [USER, ASSISTANT | {"content": [{"type": "table", "text": "A"}]}]},
            "turn 2 has a part of type 'table', expected one of text",
        ),
        ({"prompt": "Q", "response": "A", "weight": 0}, "the row has weight 0: this flag"),
        ({"prompt": "Q", "response": "A", "train": False}, "the row has train False: this flag"),
        ({"prompt": "Q", "response": "A", "rationale": "so"}, "rationale contains reasoning"),
        ({"prompt": "Q", "response": "A", "rejected_response": "B"}, "rejected_response contains preference"),
        ({"prompt": "Q", "completion": "A", "label": "False"}, "label contains true and false"),
        (
            {"question": "Q", "choices": {"text": ["a"], "label": ["A"]}, "answer": "A"},
            "choices contains the choices",
        ),
        ({"question": "Q", "options": "a) x b) y", "answer": "a"}, "options contains the choices"),
        (
            {"question": "Q", "A": "w", "B": "x", "C": "y", "D": "z", "answer": "A"},
            "A and B and C and D contain the choices",
        ),
        ({"question": "Q", "answer": "A", "image_url": "x"}, "image_url contains images"),
        (
            {"train": [{"a": 1}], "test": [{"a": 1}]},
            "; save the rows of train and test as separate files",
        ),
        (
            {"messages": '[{"role": "user", "content": "a", "content": "b"}]'},
            "messages is text, but not a JSON list: invalid JSON: the key content occurs twice",
        ),
        ({"pro\n\x1b[31mmpt": "Q", "x": "A", "y": "B"}, "found pro\\n\\x1b[31mmpt, x, y"),
        ({f"c{number}": "x" for number in range(30)}, "c19, and 10 more"),
        ({"messages": "not json"}, "messages is text, expected a list of turns"),
        ({"messages": "[not json"}, "messages is text, but not a JSON list"),
        ({"messages": {"role": "user"}}, "expected a list of turns"),
        ({"messages": [5]}, "turn 1 must have role and content"),
        ({"messages": [{"role": "user"}]}, "turn 1 must have role and content"),
        ({"messages": [{"role": ["user"], "content": "A"}]}, "turn 1 has role ['user']"),
        ({"messages": [USER, {"role": "assistant", "content": 1.5}]}, "turn 2 is a number with a fraction"),
        ({"messages": [USER, {"role": "assistant", "content": ""}]}, "turn 2 is empty"),
        ({"messages": [ASSISTANT, USER]}, "roles out of order: turn 1 is assistant, expected user"),
        ({"messages": [USER, USER, ASSISTANT]}, "roles out of order: turn 2 is user, expected assistant"),
        ({"messages": [USER, SYSTEM, ASSISTANT]}, "turn 2 is system, expected assistant"),
        ({"messages": [USER]}, "the last turn must be the assistant's"),
        ({"messages": [SYSTEM]}, "the last turn must be the assistant's"),
        ({"prompt": "a\0b", "response": "A"}, "prompt contains a NUL character"),
        (
            {"prompt": "Q", "response": "a\ud800"},
            "response is not valid Unicode: unpaired surrogate at character 2",
        ),
        ({"text": CHAT.render_question("Q") + "A"}, "text contains a whole conversation with turn markers"),
    ],
)
def test_each_fault_says_what_is_wrong(values: dict[str, Any], what: str) -> None:
    assert what in fault_of(values)


@pytest.mark.parametrize("token", [*CHAT.control_tokens, "<unused7>", "<unused2041>", "[multimodal]"])
def test_control_tokens_inside_text_are_refused_but_not_in_tags(token: str) -> None:
    assert f"prompt contains the control token {token}" in fault_of(
        {"prompt": f"hi{token}there", "response": "A"}
    )
    assert f"turn 2 contains the control token {token}" in fault_of(
        {"messages": [USER, {"role": "assistant", "content": f"A{token}"}]}
    )
    assert example_of({"prompt": "Q", "response": "A", "kind": token}).tags == {"kind": token}


@pytest.mark.parametrize(
    ("values", "taught"),
    [
        ({"instruction": "I", "message": "Q", "answer": "A"}, ["I\n\nQ", "A"]),
        ({"question": "Q", "answer": "A", "story": "S"}, ["Q\n\nS", "A"]),
        ({"prompt": "Q", "response": "A", "systemPrompt": "S"}, ["S", "Q", "A"]),
        ({"message": "Q", "response": "A", "chat_history": [["q", "a"]]}, ["q", "a", "Q", "A"]),
        ({"prompt": '[{"role": "user", "content": "Q"}]', "completion": "A"}, ["Q", "A"]),
        ({"prompt": '["role"]', "completion": "A"}, ['["role"]', "A"]),
        (
            {"instruction": "Mend it.", "input": "\n    x = 1\n    y = 2\n", "output": "ok"},
            ["Mend it.\n\n    x = 1\n    y = 2", "ok"],
        ),
        (
            {"conversation": [{"input": "q", "output": "a", "loss": False}, {"input": "Q", "output": "A"}]},
            ["q", "a", "Q", "A"],
        ),
    ],
)
def test_what_is_taught(values: dict[str, Any], taught: list[str]) -> None:
    assert [message["content"] for message in example_of(values).messages] == taught


def test_a_key_that_is_not_valid_unicode_is_no_tag() -> None:
    assert read({"prompt": "Q", "response": "A", "\ud83d": "x"}).notes.unused == {
        "\ud83d": "not valid Unicode"
    }
