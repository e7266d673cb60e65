"""Promise: a person at a terminal can stop a reply, edit, paste and go on; nothing ends the chat but leaving
it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Terminal
from tests.support.tiny_gemma import ANSWERS

pytestmark = pytest.mark.slow

LONG, SHORT = "Which planet is the largest?", "What is the symbol of gold?"
SLOW = (
    "import time\n"
    "from pipeline.litert.runtime import chat\n"
    "text = chat._text\n"
    "chat._text = lambda message: (time.sleep(0.1), text(message))[1]\n"
    "from pipeline.cli import main\n"
    "main()"
)
"""The command line with replies slow enough to interrupt: the tiny model's take milliseconds."""


@pytest.fixture
def slow(model: Path) -> Iterator[Terminal]:
    options = ["chat", "--model", str(model), "--temperature", "0"]
    with Terminal([sys.executable, "-c", SLOW, *options]) as terminal:
        terminal.wait()
        yield terminal


@pytest.fixture
def fast(model: Path) -> Iterator[Terminal]:
    options = ["chat", "--model", str(model), "--temperature", "0"]
    with Terminal([sys.executable, "-m", "pipeline", *options]) as terminal:
        terminal.wait()
        yield terminal


def test_ctrl_c_stops_the_reply_and_nothing_else(slow: Terminal) -> None:
    for _ in range(3):
        slow.type(f"{LONG}\r")
        slow.wait("Jup")
        slow.type("\x03")
        assert "planet." not in slow.wait()
        slow.type("/new\r")
        slow.wait()
        slow.type(f"{SHORT}\r")
        assert ANSWERS[SHORT] in slow.wait()
    slow.type("\x04")
    assert slow.end() == 0


def test_ctrl_c_twice_is_not_too_often(slow: Terminal) -> None:
    slow.type(f"{LONG}\r")
    slow.wait("Jup")
    slow.type("\x03\x03\x03")
    slow.wait()
    slow.type("/exit\r")
    assert slow.end() == 0


@pytest.mark.parametrize("delay", [0, 0.002, 0.01, 0.05])
def test_ctrl_c_at_any_moment_leaves_the_next_answers_right(fast: Terminal, delay: float) -> None:
    for _ in range(3):
        fast.type(f"{LONG}\r")
        time.sleep(delay)
        fast.type("\x03")
        fast.wait()
        fast.type("/new\r")
        fast.wait("new conversation.")
        fast.wait()
        fast.type(f"{SHORT}\r")
        assert fast.wait("Au.")
        fast.wait()
    fast.type("\x04")
    assert fast.end() == 0


def test_ctrl_c_at_the_prompt_clears_the_line_and_says_how_to_leave(fast: Terminal) -> None:
    fast.type("half a ques\x03")
    assert "Press Ctrl-D or type /exit to leave." in fast.wait()
    fast.type(f"{SHORT}\r")
    assert ANSWERS[SHORT] in fast.wait()
    fast.type("/exit\r")
    assert fast.end() == 0


def test_a_pasted_block_is_one_question_and_the_arrow_brings_it_back(fast: Terminal) -> None:
    fast.type("\x1b[200~/system one\nline two\x1b[201~")
    fast.type("\r")
    assert "The system prompt is set." in fast.wait()
    fast.type("/system\r")
    assert "System prompt: one\nline two" in fast.wait()
    fast.type("\x1b[A\x1b[A\r")
    assert "The system prompt is set." in fast.wait()
    fast.type("\x04")
    assert fast.end() == 0
