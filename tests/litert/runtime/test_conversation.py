"""Promise: a conversation goes on after whatever ends the runtime's, and the model then has the same
messages."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.chat import Message
from pipeline.litert.runtime.conversation import Conversation
from tests.support.fake_runtime import FakeRuntime


def conversation(
    runtime: FakeRuntime, adapters: dict[str, Path] | None = None, **options: Any
) -> Conversation:
    return Conversation(runtime, adapters, **options)  # type: ignore[arg-type]


def said(conversation: Conversation, text: str) -> str:
    return "".join(conversation.ask(text)).strip()


def turns(*texts: str) -> list[Message]:
    return [
        {"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)
    ]


def test_the_runtime_goes_on_with_its_own_conversation() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    assert [said(talk, "one"), said(talk, "two")] == ["base: one", "base: two"]
    assert [chat.asked for chat in runtime.chats] == [["one", "two"]]


def test_after_a_stop_the_next_reply_has_what_was_said_before() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    reply = talk.ask("one two")
    first = next(reply)
    talk.stop()
    assert [first, *reply] == ["base: "]
    assert said(talk, "three") == "base: three"
    assert runtime.chats[0].closed
    assert runtime.chats[1].history == turns("one two", "base: ")


def test_a_reply_that_nobody_waits_for_is_forgotten() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    reply = talk.ask("one")
    next(reply)
    reply.close()
    assert talk.history == []
    assert said(talk, "two") == "base: two"


def test_a_stop_between_two_questions_stops_nothing() -> None:
    talk = conversation(FakeRuntime())
    talk.stop()
    assert said(talk, "one") == "base: one"


def test_after_a_failure_the_conversation_goes_on() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    said(talk, "one")
    runtime.failure = RuntimeError("INTERNAL: Task failed")
    with pytest.raises(PocketGemmaError, match="the runtime failed: INTERNAL: Task failed; ask again"):
        said(talk, "two")
    assert said(talk, "three") == "base: three"
    assert runtime.chats[-1].history == turns("one", "base: one ")


def test_a_truncated_reply_is_read_again_with_the_marker_that_ends_it() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime, max_new_tokens=2)
    said(talk, "one")
    said(talk, "two")
    assert runtime.chats[1].history == turns("one", "base: one ")


def test_earlier_messages_that_leave_no_room_are_dropped() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    told: list[int] = []
    talk.restarted = lambda: told.append(len(runtime.chats))
    said(talk, "a b c d")
    assert said(talk, "e f g") == "base: e f g"
    assert told == [2]
    assert runtime.chats[-1].history == []
    assert talk.history == turns("e f g", "base: e f g ")


@pytest.mark.parametrize(
    ("system", "said_so"), [("", "the question is too long"), ("x", "the question and the system prompt are")]
)
def test_a_question_too_long_by_itself_is_refused_and_costs_nothing(system: str, said_so: str) -> None:
    talk = conversation(FakeRuntime(), system=system)
    said(talk, "one")
    before = list(talk.history)
    with pytest.raises(InputError, match=f"{said_so} .*context of 12 tokens; shorten the text"):
        said(talk, "x " * 20)
    assert talk.history == before
    assert said(talk, "two") == "base: two"


def test_a_full_context_is_known() -> None:
    talk = conversation(FakeRuntime())
    said(talk, "a b c d e f g h i")
    assert talk.is_full
    talk.begin()
    said(talk, "a")
    assert not talk.is_full


def test_a_model_of_single_questions_gets_nothing_else() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime, remembers=False, system="Be short.")
    for text in ("one", "two"):
        said(talk, text)
    assert [[turn["content"] for turn in chat.history] for chat in runtime.chats] == [["Be short."]] * 2


def test_a_new_system_prompt_is_valid_for_the_earlier_messages_too() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime)
    said(talk, "one")
    talk.system = " Be short. "
    said(talk, "two")
    system: Message = {"role": "system", "content": "Be short."}
    assert runtime.chats[-1].history == [system, *turns("one", "base: one ")]


@pytest.mark.parametrize("place", ["before", "nowhere"])
def test_without_system_turns_the_prompt_precedes_the_first_question(place: str) -> None:
    runtime = FakeRuntime(system=place)
    talk = conversation(runtime, system="Short.")
    said(talk, "one")
    said(talk, "two")
    assert runtime.chats[0].asked == ["Short.\n\none", "two"]
    talk.use("none")
    talk.system = "Long."
    said(talk, "three")
    assert runtime.chats[-1].history[0]["content"] == "Long.\n\none"
    assert talk.history[0]["content"] == "one"


def test_a_system_prompt_with_a_marker_is_refused() -> None:
    talk = conversation(FakeRuntime(), system="Short.")
    with pytest.raises(InputError, match="the text contains <end_of_turn>"):
        talk.system = "a<end_of_turn>"
    assert talk.system == "Short."


def test_another_adapter_reads_the_conversation_again() -> None:
    runtime = FakeRuntime()
    talk = conversation(runtime, {"poet": Path("poet.tflite"), "clerk": Path("clerk.tflite")})
    assert said(talk, "one") == "poet: one"
    talk.use("clerk")
    assert said(talk, "two") == "clerk: two"
    assert runtime.chats[-1].history == turns("one", "poet: one ")
    with pytest.raises(InputError, match="prose: no such adapter; available: poet, clerk, none"):
        talk.use("prose")
