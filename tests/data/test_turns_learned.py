"""Which turns of a conversation are learned, and as which tokens: those of a runtime that continues its own
conversation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.checks import check_leaks, count_near_leaks, drop_duplicates, fit_window
from pipeline.data.conversations import Candidate
from pipeline.data.examples import Example, read_examples, write_examples
from pipeline.data.faults import Faults, Place
from pipeline.data.policy import Loss, RowPolicy
from pipeline.data.split import split_validation
from pipeline.data.summary import describe_learning, prompts_with_several_responses, token_lengths
from pipeline.data.tokenize import encode, segment_lengths
from pipeline.errors import InputError
from pipeline.families.chat import Message
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.conversations import ASSISTANT, SYSTEM, USER, example_of, fault_of, read
from tests.support.tokenizers import make_tokenizer

LAST = RowPolicy(64, loss="last")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return make_tokenizer(Path(tmp_path_factory.mktemp("tokenizer")))


def conversation(*texts: str, learned: tuple[int, ...] = (1, 3)) -> Example:
    """Turns of user and assistant."""
    messages: list[Message] = [
        {"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)
    ]
    return Example(tuple(messages), learned_earlier=learned)


THREE = conversation("Au?", "gold", "Ag?", " silver ", "Pb?", "lead")

TOKENS = [
    ("<bos>", 0),
    *((piece, 0) for piece in ("<start_of_turn>", "user\n", "Au?", "<end_of_turn>", "\n")),
    *((piece, 0) for piece in ("<start_of_turn>", "model\n")),
    *((piece, 1) for piece in ("gold", "<end_of_turn>")),
    *((piece, 0) for piece in ("\n", "<start_of_turn>", "user\n", "Ag?", "<end_of_turn>", "\n")),
    *((piece, 0) for piece in ("<start_of_turn>", "model\n")),
    *((piece, 1) for piece in ("silver", "<end_of_turn>")),
    *((piece, 0) for piece in ("\n", "<start_of_turn>", "user\n", "Pb?", "<end_of_turn>", "\n")),
    *((piece, 0) for piece in ("<start_of_turn>", "model\n")),
    *((piece, 1) for piece in ("lead", "<end_of_turn>")),
]
"""A conversation of three answers, and whether each piece of its text is learned."""


def test_each_answer_and_the_marker_behind_it_are_learned_and_nothing_else(tokenizer: Tokenizer) -> None:
    (encoded,) = encode([THREE], tokenizer).examples
    wanted = [
        (token, bool(learned))
        for piece, learned in TOKENS
        for token in ([tokenizer.bos_id] if piece == "<bos>" else tokenizer.encode(piece))
    ]
    assert list(zip(encoded.token_ids.tolist(), encoded.learned.tolist(), strict=True)) == wanted


def test_an_answer_that_is_not_learned_is_still_read(tokenizer: Tokenizer) -> None:
    (whole,) = encode([THREE], tokenizer).examples
    (encoded,) = encode([replace(THREE, learned_earlier=(3,))], tokenizer).examples
    assert encoded.token_ids.tolist() == whole.token_ids.tolist()
    assert tokenizer.decode(encoded.token_ids[encoded.learned].tolist()) == (
        "silver<end_of_turn>lead<end_of_turn>"
    )


def test_the_tokens_up_to_each_answer_are_those_of_its_prompt(tokenizer: Tokenizer) -> None:
    """The runtime tokenizes a history that it is given as one text, and its own replies one by one."""
    (encoded,) = encode([THREE], tokenizer).examples
    for turn in (1, 3, 5):
        prompt = tokenizer.prompt_ids(THREE.messages[:turn])
        assert encoded.token_ids[: len(prompt)].tolist() == prompt
        assert encoded.learned[len(prompt)] and not encoded.learned[len(prompt) - 1]


def test_an_indented_answer_is_learned_as_it_is_written(tokenizer: Tokenizer) -> None:
    """The chat template removes the indentation from a history, but the runtime does not: it keeps the
    tokens that it generated."""
    (encoded,) = encode([conversation("Q", "  a\n  b", "R", "S", learned=(1,))], tokenizer).examples
    assert "model\n  a\n  b<end_of_turn>\n" in tokenizer.decode(encoded.token_ids[1:].tolist())
    (last,) = encode([conversation("Q", "  a\n  b", "R", "S", learned=())], tokenizer).examples
    assert "model\na\n  b<end_of_turn>\n" in tokenizer.decode(last.token_ids[1:].tolist())


def test_tokens_and_mask_are_those_of_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    written = "{{ text(message['content']) }}{{ '<end_of_turn>' }}"
    assert CHAT.template.count(written) == 1
    marked = CHAT.template.replace(
        written,
        "{%- if role == 'model' -%}{%- generation -%}" + written + "{%- endgeneration -%}"
        "{%- else -%}" + written + "{%- endif -%}",
    )
    make_tokenizer(tmp_path)
    specials = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    settings = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, **specials}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    system: Message = {"role": "system", "content": "Be\n\nbrief."}
    examples = [
        THREE,
        Example((system, *THREE.messages), learned_earlier=(2, 4)),
        conversation("a\n\n b ", "c\nd", "e", "f  g", learned=(1,)),
    ]
    for example, encoded in zip(examples, encode(examples, tokenizer).examples, strict=True):
        found = theirs.apply_chat_template(
            list(example.messages),
            chat_template=marked,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        assert encoded.token_ids.tolist() == found["input_ids"]
        assert encoded.learned.tolist() == [bool(each) for each in found["assistant_masks"]]


@pytest.mark.parametrize(
    ("flags", "learned"),
    [
        ([{}, {}, {}], (1, 3)),
        ([{"weight": 0}, {}, {"weight": 1}], (3,)),
        ([{"train": True}, {"train": False}, {"train": True}], (1,)),
        ([{"mask": 1}, {"masked": True}, {"mask": 0}], ()),
    ],
)
def test_flags_decide_for_each_answer(flags: list[dict[str, Any]], learned: tuple[int, ...]) -> None:
    turns = [turn for flag in flags for turn in (USER, ASSISTANT | flag)]
    example = example_of({"messages": turns})
    assert (len(example.messages), example.learned_earlier) == (6, learned)


def test_turns_after_the_last_trained_answer_are_omitted_and_counted() -> None:
    turns = [USER, ASSISTANT, USER, ASSISTANT, USER, ASSISTANT | {"weight": 0}]
    found = read({"messages": turns})
    example = found.candidates[0].example
    assert (len(example.messages), example.learned_earlier) == (4, (1,))
    assert "turns after the last trained answer, omitted: 2" in found.notes.lines()
    assert found.notes.as_json()["turns_after_the_last_trained_answer"] == 2


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"messages": [USER, ASSISTANT, USER, ASSISTANT | {"weight": 0}]}, None),
        (
            {"messages": [USER, ASSISTANT | {"mask": 1}, USER, ASSISTANT, USER, ASSISTANT]},
            "earlier answers excluded by flags: 1",
        ),
        (
            {"prompt": [USER, ASSISTANT, USER], "completion": [ASSISTANT]},
            "answers in prompts, not trained on: 1",
        ),
    ],
)
def test_earlier_answers_that_are_not_trained_on_are_counted(
    values: dict[str, Any], note: str | None
) -> None:
    notes = read(values).notes
    lines = [line for line in notes.lines() if "earlier answers" in line or "in prompts" in line]
    assert lines == ([note] if note else [])
    assert notes.as_json()["conversations_with_earlier_answers"] == 1


@pytest.mark.parametrize(
    ("values", "learned"),
    [
        ({"messages": [SYSTEM, USER, ASSISTANT, USER, ASSISTANT]}, (2,)),
        ({"prompt": "Q", "response": "A", "history": [["q", "a"]]}, (1,)),
        ({"conversation": [{"input": "Q", "output": "A"}] * 2}, (1,)),
        ({"prompt": [USER, ASSISTANT, USER], "completion": [ASSISTANT]}, ()),
        ({"prompt": [USER, ASSISTANT, USER], "completion": [ASSISTANT, USER, ASSISTANT]}, (3,)),
        ({"prompt": "Q", "response": "A"}, ()),
    ],
)
def test_answers_in_every_form_are_learned_but_none_in_a_prompt(
    values: dict[str, Any], learned: tuple[int, ...]
) -> None:
    assert example_of(values).learned_earlier == learned
    assert example_of(values, LAST).learned_earlier == ()
    assert example_of(values, LAST).messages == example_of(values).messages


def test_a_conversation_without_an_answer_to_learn_is_refused() -> None:
    turns = [USER, ASSISTANT | {"weight": 0}, USER, ASSISTANT | {"mask": 1}]
    assert fault_of({"messages": turns}) == (
        "every answer of the conversation is excluded from training (turn 2 by weight 0, turn 4 by mask 1); "
        "remove the row"
    )
    weighed = [USER, ASSISTANT | {"weight": 0.5}, USER, ASSISTANT]
    assert fault_of({"messages": weighed}).startswith("turn 2 has weight 0.5, expected 0 or 1")


def test_with_last_only_the_flag_of_the_last_answer_counts() -> None:
    turns = [USER, ASSISTANT | {"weight": 0.5}, USER, ASSISTANT]
    found = read({"messages": turns}, policy=LAST)
    assert found.candidates[0].example.learned_earlier == ()
    assert (
        "the model is trained on the last answer only; conversations with earlier answers: 1"
        in found.notes.lines()
    )
    assert fault_of({"messages": [*turns[:-1], ASSISTANT | {"weight": 0}]}, LAST).startswith(
        "turn 4 has weight 0: this flag excludes"
    )


@pytest.mark.parametrize(("loss", "missing"), [("all_assistant_turns", "turn 2 is 'nan'"), ("last", "")])
def test_the_mark_of_a_missing_value_is_refused_in_every_learned_answer(loss: Loss, missing: str) -> None:
    values = {"messages": [USER, ASSISTANT | {"content": "nan"}, USER, ASSISTANT]}
    policy = RowPolicy(64, loss=loss)
    if missing:
        assert fault_of(values, policy).startswith(missing)
    else:
        assert len(read(values, policy=policy).candidates) == 1


def test_prepared_files_keep_what_is_learned_and_are_unchanged_without(tmp_path: Path) -> None:
    single = conversation("Q", "A", learned=())
    write_examples(tmp_path / "train.jsonl", [THREE, single])
    assert read_examples(tmp_path / "train.jsonl") == [THREE, single]
    _, line = (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line).keys() == {"messages", "source", "tags"}


def test_lengths_count_every_token_once(tokenizer: Tokenizer) -> None:
    (encoded,) = encode([THREE], tokenizer).examples
    (lengths,) = segment_lengths([THREE], tokenizer)
    prompt, response = token_lengths([THREE], tokenizer)
    assert sum(lengths) == len(encoded) == prompt[0] + response[0]
    single = conversation("Q", "A", learned=())
    assert describe_learning([single], tokenizer) == {}
    (short,) = encode([single], tokenizer).examples
    assert describe_learning([THREE, single], tokenizer) == {
        "conversations": 2,
        "answers": 4,
        "learned_answers": 4,
        "tokens": len(encoded) + len(short),
        "learned_tokens": int(encoded.learned.sum() + short.learned.sum()),
    }
    faults, candidate = Faults(), Candidate(Place(Path("a"), 1), THREE)
    assert fit_window([candidate], RowPolicy(len(encoded)), tokenizer, faults) == ([candidate], 0, 0)
    fit_window([candidate], RowPolicy(len(encoded) - 1), tokenizer, faults)
    assert f"{len(encoded)} tokens long" in faults.found[0][1]


def test_a_conversation_without_room_for_its_last_answer_is_named_as_one(tokenizer: Tokenizer) -> None:
    faults, ((*before, _),) = Faults(), segment_lengths([THREE], tokenizer)
    policy = RowPolicy(sum(before), too_long="truncate")
    assert fit_window(candidates(THREE), policy, tokenizer, faults) == ([], 0, 0)
    assert faults.found[0][1] == (
        f"the conversation before its last answer is {sum(before)} tokens long and leaves no room for a "
        f"response within data.max_length {sum(before)}; shorten the conversation or raise data.max_length"
    )


def candidates(*examples: Example) -> list[Candidate]:
    return [Candidate(Place(Path("a.jsonl"), line), each) for line, each in enumerate(examples, start=1)]


def test_a_held_out_question_that_is_an_earlier_learned_turn_is_a_leak() -> None:
    train, held_out = candidates(THREE), candidates(conversation("Au?", "gold", learned=()))
    faults = Faults()
    check_leaks(train, held_out, faults, CHAT)
    assert "has the same prompt as a.jsonl line 1" in faults.found[0][1]
    assert count_near_leaks(train, candidates(conversation(" au? ", "gold", learned=()))) == 1
    only_read = candidates(replace(THREE, learned_earlier=()))
    faults = Faults()
    check_leaks(only_read, held_out, faults, CHAT)
    assert not faults.found
    assert count_near_leaks(only_read, held_out) == 0


def test_a_prompt_that_another_conversation_learns_is_not_set_aside() -> None:
    starts = [conversation(f"Q{n}", "A", learned=()) for n in range(20)]
    longer = [conversation(f"Q{n}", "A", f"R{n}", "B", learned=(1,)) for n in range(20)]
    for seed in range(5):
        _, validation = split_validation([*starts, *longer], 0.3, seed, CHAT)
        assert validation and all(each in longer for each in validation)
    with pytest.raises(InputError, match="a longer conversation trains on too many of the prompts"):
        split_validation([starts[0], longer[0]], 0.3, 0, CHAT, {longer[0].prompt(CHAT)})


def test_rows_that_teach_other_turns_are_no_duplicates() -> None:
    rows = candidates(THREE, replace(THREE, learned_earlier=(3,)), THREE)
    kept, dropped = drop_duplicates(rows, RowPolicy(64), Faults())
    assert (kept, dropped) == (rows[:2], 1)


def test_several_answers_to_an_earlier_prompt_are_counted() -> None:
    other = conversation("Au?", "gilt", "x", "y", learned=(1,))
    assert prompts_with_several_responses([THREE, other], CHAT) == 1
    assert prompts_with_several_responses([THREE, replace(other, learned_earlier=())], CHAT) == 0
