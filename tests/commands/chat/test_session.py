"""Promise: every line is a question or a command, and trouble with one of them costs no other."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands.chat.session import converse, interrupts
from pipeline.console import console
from pipeline.errors import InputError, OutputError, PocketGemmaError
from pipeline.litert.runtime.conversation import Conversation
from tests.support.fake_runtime import FakeRuntime


class Script:
    """Questions from a list. An exception in it is raised."""

    def __init__(self, *lines: str | InputError, interactive: bool = False) -> None:
        self.interactive = interactive
        self.notes: list[str] = []
        self.refused: list[str] = []
        self._lines: Iterator[str | InputError] = iter(lines)

    def read(self) -> str | None:
        line = next(self._lines, None)
        if isinstance(line, InputError):
            raise line
        return line

    def note(self, text: str) -> None:
        self.notes.append(text)

    def refuse(self, error: PocketGemmaError) -> None:
        self.refused.append(str(error))


def run(script: Script, adapters: dict[str, Path] | None = None, *, remembers: bool = True) -> int:
    with Conversation(FakeRuntime(), adapters, remembers=remembers) as conversation:  # type: ignore[arg-type]
        return converse(conversation, script)


def test_questions_are_answered_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script("one", "", "two")
    assert run(script) == 0
    assert capsys.readouterr().out == "base: one \nbase: two \n"
    assert script.notes == []


def test_a_person_at_a_terminal_is_told_how_it_works() -> None:
    script = Script(interactive=True)
    run(script, remembers=False)
    assert script.notes == [
        "Type a question. /help lists the commands, /exit leaves. This model answers single questions: each "
        "starts a new conversation."
    ]


@pytest.mark.parametrize(("interactive", "code"), [(False, 2), (True, 0)])
def test_a_question_without_a_reply_is_refused_and_the_next_is_answered(
    interactive: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ("x " * 20, "a<end_of_turn>", InputError("line 3: not valid UTF-8"), "/nwe", "one")
    script = Script(*lines, interactive=interactive)
    assert run(script) == code
    assert [text.split(";")[0] for text in script.refused] == [
        "the question is too long for the model's context of 12 tokens",
        "line 3: not valid UTF-8",
        "/nwe: no such command",
    ]
    assert capsys.readouterr().out.splitlines()[-1] == "base: one "


def test_a_full_context_starts_a_new_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script("a b c d", "e f g", "a b c d e f g h i")
    run(script)
    full = "The context is full. Started a new conversation."
    assert script.notes == [
        full,
        full,
        "The context is full: the reply ends here. Started a new conversation.",
    ]
    assert capsys.readouterr().out.splitlines()[-1] == "base: a b "


def test_a_cut_reply_of_a_single_question_is_called_one() -> None:
    script = Script("a b c d e f g h i")
    run(script, remembers=False)
    assert script.notes == ["The context is full: the reply ends here."]


def test_commands_change_the_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    adapters = {"poet": Path("poet.tflite"), "clerk": Path("clerk.tflite")}
    lines = ("/adapter", "hi", "/adapter clerk", "yo", "/new", "/adapter none", "/exit", "never")
    script = Script(*lines)
    assert run(script, adapters) == 0
    assert capsys.readouterr().out == "poet: hi \nclerk: yo \n"
    assert script.notes == [
        "* poet",
        "  clerk",
        "  none",
        "Using clerk. The model will reread the conversation first.",
        "Started a new conversation.",
        "Using none.",
    ]


def test_the_system_prompt_is_shown_set_and_removed() -> None:
    script = Script("/system", "/system Be\nshort.", "/system", "/system none", "/system")
    run(script)
    assert script.notes == [
        "System prompt: none",
        "The system prompt is set.",
        "System prompt: Be\nshort.",
        "There is no system prompt.",
        "System prompt: none",
    ]


def test_help_lists_every_command() -> None:
    script = Script("/help")
    run(script)
    names = ("new", "system", "adapter", "help", "exit")
    assert [name for name in names if f"/{name}" not in script.notes[0]] == []


def test_a_path_begins_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    run(Script("/etc/hosts is", "/"))
    assert capsys.readouterr().out == "base: /etc/hosts is \nbase: / \n"


def test_output_that_cannot_be_written_ends_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("standard output: No space left on device")

    monkeypatch.setattr(console, "out", full)
    script = Script("one", "two")
    with pytest.raises(OutputError):
        run(script)
    assert script.refused == []


def test_ctrl_c_calls_stop_and_raises_nothing() -> None:
    stopped: list[bool] = []
    before = signal.getsignal(signal.SIGINT)
    with interrupts(lambda: stopped.append(True)):
        os.kill(os.getpid(), signal.SIGINT)
    assert stopped == [True]
    assert signal.getsignal(signal.SIGINT) is before
