"""Promise: the phone's runtime computes on this machine what the framework computes, and refuses files that
it cannot use."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.conversations import conversations
from pipeline.families.chat import Message
from pipeline.families.turns import CHAT
from pipeline.litert.runtime.engine import Runtime
from tests.support.litertlm import with_metadata
from tests.support.tiny_gemma import ANSWERS, Reference

pytestmark = pytest.mark.slow
LONG = "What is the symbol of gold? " * 4
"""Longer than a prefill chunk and than the sliding window."""


@pytest.fixture(scope="module")
def runtime(model: Path) -> Iterator[Runtime]:
    with Runtime(model) as runtime:
        yield runtime


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("question", [*ANSWERS, "And silver?", LONG])
def test_log_probabilities_are_the_frameworks(runtime: Runtime, reference: Reference, question: str) -> None:
    prompt, target = (
        CHAT.render_question(question),
        CHAT.render_answer("Jupiter is largest.\nIt is Au."),
    )
    expected = reference.logprobs(prompt, target)
    assert sum(expected) < -5  # not learned: the comparison is meaningful
    assert runtime.logprobs(prompt, target) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("question", [*ANSWERS, LONG])
def test_greedy_replies_are_the_frameworks(runtime: Runtime, reference: Reference, question: str) -> None:
    ids = runtime.token_ids(user(question))
    expected = reference.greedy(ids, 40)
    reply = runtime.answer(user(question), max_new_tokens=40)
    assert reply.tokens == len(expected)
    assert reply.stopped == (expected[-1] in reference.tokenizer.stop_ids)
    stops = reference.tokenizer.stop_ids
    assert (
        reply.text == reference.tokenizer.decode([token for token in expected if token not in stops]).strip()
    )


def test_learned_answers_are_given(runtime: Runtime) -> None:
    assert {
        question: runtime.answer(user(question), max_new_tokens=40).text for question in ANSWERS
    } == ANSWERS


@pytest.mark.parametrize(("name", "messages"), conversations([]), ids=[name for name, _ in conversations([])])
def test_token_ids_are_those_of_training(
    runtime: Runtime, reference: Reference, name: str, messages: list[Message]
) -> None:
    tokenizer = reference.tokenizer
    assert runtime.token_ids(messages) == [
        tokenizer.bos_id,
        *tokenizer.encode(CHAT.render_prompt(messages)),
    ]


def test_a_longer_conversation_is_tokenized_like_its_whole_text(runtime: Runtime) -> None:
    first, second = list(ANSWERS)[:2]
    with runtime.chat(greedy=True, max_new_tokens=40) as chat:
        reply = "".join(chat.stream(first))
        "".join(chat.stream(second))
        tokens = chat.tokens
    whole: list[Message] = [*user(first), {"role": "assistant", "content": reply}, *user(second)]
    assert tokens == len(runtime.token_ids(whole)) + runtime.answer(whole, max_new_tokens=40).tokens


def test_a_reply_is_truncated_at_the_limit_and_marked_so(runtime: Runtime) -> None:
    question = "How many protons has carbon?"
    whole = runtime.answer(user(question), max_new_tokens=40)
    assert whole.stopped
    assert runtime.answer(user(question), max_new_tokens=whole.tokens).stopped
    short = runtime.answer(user(question), max_new_tokens=whole.tokens - 1)
    assert (short.stopped, short.tokens, short.text) == (False, whole.tokens - 1, whole.text)


def test_a_reply_comes_in_pieces(runtime: Runtime) -> None:
    with runtime.chat(greedy=True) as chat:
        pieces = list(chat.stream("How many protons has carbon?"))
    assert len(pieces) > 5
    assert "".join(pieces) == "Carbon has six protons."


def test_without_its_stop_token_a_model_does_not_stop(model: Path, tmp_path: Path) -> None:
    def eos_only(metadata: Any) -> None:
        del metadata.stop_tokens[1:]

    with Runtime(with_metadata(model, tmp_path / "model.litertlm", eos_only)) as runtime:
        reply = runtime.answer(user("How many protons has carbon?"), max_new_tokens=40)
    assert not reply.stopped
    assert CHAT.end_of_turn in reply.text


def test_the_models_own_sampler_is_used_unless_greedy_is_requested(model: Path, tmp_path: Path) -> None:
    def not_implemented(metadata: Any) -> None:
        metadata.sampler_params.type = 3  # GREEDY: in the format, not in the runtime

    question = "How many protons has carbon?"
    with Runtime(with_metadata(model, tmp_path / "model.litertlm", not_implemented)) as runtime:
        with runtime.chat() as chat, pytest.raises(RuntimeError, match="not implemented"):
            list(chat.stream(question))
        assert runtime.answer(user(question), max_new_tokens=20).text == ANSWERS[question]


def test_nothing_is_written_next_to_the_model(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(model, tmp_path / "model.litertlm"))
    with Runtime(copy) as runtime:
        runtime.answer(user("And silver?"), max_new_tokens=4)
    assert [path.name for path in tmp_path.iterdir()] == ["model.litertlm"]


def test_markers_in_a_users_text_are_refused(runtime: Runtime) -> None:
    with runtime.chat() as chat, pytest.raises(InputError, match="the text contains <end_of_turn>"):
        list(chat.stream("hello<end_of_turn>"))


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Runtime(tmp_path / "model.litertlm")


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.9999])
def test_a_truncated_model_is_refused(model: Path, tmp_path: Path, share: float) -> None:
    copy = tmp_path / "model.litertlm"
    content = model.read_bytes()
    copy.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="truncated"):
        Runtime(copy)
