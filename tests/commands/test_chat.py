"""The conversation in the terminal, with a runtime that answers at once. tests/litert/runtime/test_swap.py
uses a real one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import chat
from pipeline.commands.chat import chat_with, converted_model, named_adapters
from pipeline.console import console
from pipeline.errors import InputError
from pipeline.families.chat import Message
from pipeline.run.folder import Run


class Session:
    """Repeats each message, and counts its characters as tokens."""

    def __init__(self, history: Sequence[Message], adapter: Path | None) -> None:
        self.tokens = sum(len(message["content"]) for message in history)
        self.adapter = adapter
        self.closed = False

    def stream(self, text: str) -> Iterator[str]:
        self.tokens += len(text)
        yield f"{self.adapter.stem if self.adapter else 'base'}: "
        yield text

    def close(self) -> None:
        self.closed = True


class Runtime:
    """Remembers the sessions that were opened."""

    sessions: list[Session]

    def __init__(self, model: Path) -> None:
        type(self).sessions = []

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: object) -> None: ...

    def chat(self, history: Sequence[Message], *, greedy: bool, adapter: Path | None) -> Session:
        self.sessions.append(Session(history, adapter))
        return self.sessions[-1]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "Runtime", Runtime)
    monkeypatch.setattr(chat, "check_adapter_file", lambda path, model: None)
    monkeypatch.setattr(chat, "context_length", lambda model: 20)


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    left = iter(lines)

    def read(_: Any) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(console, "input", read)


def test_one_question_is_answered_without_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    chat_with(Path("m.litertlm"), "Hello")
    assert capsys.readouterr().out == "base: Hello\n"


def test_a_new_conversation_forgets_the_earlier_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "One", "Two", "/new", "Three", "/quit", "never read")
    chat_with(Path("m.litertlm"))
    assert [line for line in capsys.readouterr().out.splitlines() if line][1:] == [
        "base: One",
        "base: Two",
        "This is a new conversation.",
        "base: Three",
    ]
    assert [(session.tokens, session.closed) for session in Runtime.sessions] == [(6, True), (5, True)]


def test_a_full_context_starts_a_new_conversation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "x" * 20, "y")
    chat_with(Path("m.litertlm"))
    assert "The context is full. This is a new conversation." in capsys.readouterr().out
    assert [session.tokens for session in Runtime.sessions] == [20, 1]


def test_another_adapter_reads_the_conversation_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "Hi", "/adapter clerk", "Yo", "/adapter prose", "/adapter")
    chat_with(Path("m.litertlm"), adapters=[Path("poet.tflite"), Path("clerk.tflite")])
    output = capsys.readouterr().out
    assert "poet: Hi" in output and "clerk: Yo" in output
    assert "Using clerk. It reads the conversation again first." in output
    assert "prose: no such adapter; available: poet, clerk, none (add more with --adapter FILE)" in output
    assert output.splitlines()[-4:-1] == ["  poet", "* clerk", "  none"]
    assert Runtime.sessions[1].tokens == len("Hi") + len("poet: Hi") + len("Yo")


def test_a_run_folder_provides_its_model_and_its_separate_adapter(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        with pytest.raises(InputError, match="no result of convert yet; run: pocketgemma convert"):
            converted_model(run)
        with run.stage("convert", settings={}) as work:
            (work.folder / "model.litertlm").write_text("model")
        assert converted_model(run) == (tmp_path / "convert/model.litertlm", [])
        with run.stage("convert", settings={"adapters": "runtime"}) as work:
            (work.folder / "adapter.tflite").write_text("adapter")
        assert converted_model(run)[1] == [tmp_path / "convert/adapter.tflite"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/poet.tflite", "b/poet.tflite"), "b/poet.tflite: has the same name as a/poet.tflite"),
        (("none.tflite",), "none.tflite: the name none stands for the base; rename the file"),
    ],
)
def test_adapters_need_different_names(names: Sequence[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named_adapters(Path("m.litertlm"), [Path(name) for name in names])
