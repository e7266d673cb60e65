"""Promise: a reply can be stopped at any moment, and a context be filled, without harm to what follows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import active_count
from typing import Any

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.chat import Message
from pipeline.families.turns import CHAT
from pipeline.litert.runtime.chat import ContextFullError, check_text
from pipeline.litert.runtime.conversation import Conversation
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.sampling import GREEDY
from tests.support.litertlm import with_metadata
from tests.support.tiny_gemma import ANSWERS, SPEC

LONG_ANSWER, QUESTION, OTHER = "Which planet is the largest?", *list(ANSWERS)[:3:2]


@pytest.fixture(scope="module")
def runtime(model: Path) -> Iterator[Runtime]:
    with Runtime(model) as runtime:
        yield runtime


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a<end_of_turn>", "the text contains <end_of_turn>"),
        ("a\0b", "the text contains a NUL character"),
        ("a\udcff", r"the text contains U\+DCFF"),
    ],
)
def test_a_text_that_the_runtime_would_misread_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_text(text, CHAT)


@pytest.mark.slow
def test_a_stopped_chat_is_dead_and_says_so(runtime: Runtime) -> None:
    with runtime.chat(greedy=True) as chat:
        reply = chat.stream(LONG_ANSWER)
        next(reply)
        chat.cancel()
        list(reply)
        assert chat.ended
        with pytest.raises(PocketGemmaError, match="this conversation has ended"):
            list(chat.stream(QUESTION))


@pytest.mark.slow
def test_whoever_leaves_a_reply_leaves_no_thread_behind(runtime: Runtime) -> None:
    before = active_count()
    for _ in range(20):
        with runtime.chat(greedy=True) as chat:
            reply = chat.stream(LONG_ANSWER)
            next(reply)
            reply.close()
            assert active_count() == before
    assert runtime.answer(user(QUESTION), max_new_tokens=40).text == ANSWERS[QUESTION]


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [0, 1, 5])
def test_a_stopped_conversation_goes_on(runtime: Runtime, pieces: int) -> None:
    with Conversation(runtime, sampling=GREEDY) as conversation:
        for _ in range(3):
            conversation.begin()
            reply = conversation.ask(LONG_ANSWER)
            said = "".join(next(reply) for _ in range(pieces))
            if pieces:
                conversation.stop()
                said += "".join(reply)
                assert len(said) < len(ANSWERS[LONG_ANSWER])
            after: list[Message] = (
                [*user(LONG_ANSWER), {"role": "assistant", "content": said}] if said else []
            )
            expected = runtime.answer([*after, *user(QUESTION)], max_new_tokens=80).text
            assert "".join(conversation.ask(QUESTION)).strip() == expected


@pytest.mark.slow
def test_questions_fill_the_context_and_the_conversation_goes_on(runtime: Runtime) -> None:
    restarts: list[int] = []
    with Conversation(runtime, sampling=GREEDY, max_new_tokens=16) as conversation:
        conversation.restarted = lambda: restarts.append(len(conversation.history))
        for _ in range(20):
            assert "".join(conversation.ask(QUESTION))
        assert len(restarts) > 1
        with pytest.raises(
            InputError, match="the question is too long for the model's context of 160 tokens"
        ):
            list(conversation.ask("gold " * 300))
        assert "".join(conversation.ask(QUESTION))


@pytest.mark.slow
def test_every_length_of_a_question_is_answered_or_refused(runtime: Runtime) -> None:
    refused = []
    for words in range(10, 170, 3):
        with runtime.chat(greedy=True, max_new_tokens=2) as chat:
            try:
                list(chat.stream("gold " * words))
            except ContextFullError as error:
                assert str(error).startswith("the conversation does not fit into the model's context of 160")
                refused.append(words)
    assert refused and refused == [words for words in range(10, 170, 3) if words >= refused[0]]


@pytest.mark.slow
def test_a_full_chat_refuses_instead_of_saying_nothing(model: Path, tmp_path: Path) -> None:
    def without_stops(metadata: Any) -> None:
        del metadata.stop_tokens[1:]

    file = with_metadata(model, tmp_path / "model.litertlm", without_stops)
    with Runtime(file) as runtime, runtime.chat(greedy=True) as chat:
        list(chat.stream(QUESTION))
        assert chat.tokens == SPEC.context_length
        with pytest.raises(ContextFullError):
            list(chat.stream(QUESTION))


@pytest.mark.slow
def test_no_marker_is_shown_where_the_file_lacks_the_stop_token(model: Path, tmp_path: Path) -> None:
    def eos_only(metadata: Any) -> None:
        del metadata.stop_tokens[1:]

    file = with_metadata(model, tmp_path / "model.litertlm", eos_only)
    with Runtime(file) as runtime, Conversation(runtime, sampling=GREEDY) as conversation:
        for question in (QUESTION, OTHER):
            conversation.begin()
            assert "".join(conversation.ask(question)) == ANSWERS[question]


@pytest.mark.slow
def test_a_reply_with_as_many_tokens_as_allowed_is_truncated(runtime: Runtime) -> None:
    whole = runtime.answer(user(QUESTION), max_new_tokens=40).tokens
    for limit, truncated in ((whole + 1, False), (whole - 1, True)):
        with runtime.chat(greedy=True, max_new_tokens=limit) as chat:
            list(chat.stream(QUESTION))
            assert chat.truncated is truncated


@pytest.mark.slow
def test_a_seed_decides_what_is_drawn(runtime: Runtime) -> None:
    def drawn(seed: int) -> str:
        hot = replace(GREEDY, top_k=64, temperature=5.0, seed=seed)
        with runtime.chat(sampling=hot, max_new_tokens=12) as chat:
            return "".join(chat.stream(QUESTION))

    assert drawn(3) == drawn(3)
    assert len({drawn(seed) for seed in range(1, 6)}) > 1


@pytest.mark.slow
def test_a_system_prompt_reaches_the_model(runtime: Runtime) -> None:
    with Conversation(runtime, system="Say it.", sampling=GREEDY, max_new_tokens=40) as conversation:
        reply = "".join(conversation.ask(OTHER))
    system: Message = {"role": "system", "content": "Say it."}
    assert reply.strip() == runtime.answer([system, *user(OTHER)], max_new_tokens=40).text
