"""Promise: whatever standard input and output are, the command ends with one sentence or quietly, and a
sensible exit code."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_gemma import ANSWERS

pytestmark = pytest.mark.slow

QUESTION = "What is the symbol of gold?"


def command(model: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "chat", "--model", str(model), "--temperature", "0", *options]


def chat(model: Path, *options: str, questions: str = "", **more: Any) -> "subprocess.CompletedProcess[str]":
    more = {"stdout": subprocess.PIPE} | more
    return subprocess.run(
        command(model, *options),
        input=questions,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        **more,
    )


def interrupted(process: "subprocess.Popen[str]") -> int:
    """The exit code after Ctrl-C. Python overlooks a signal that comes just before a blocking read."""
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=1)
    raise TimeoutError("Ctrl-C does not end the command")


def test_a_pipe_gets_replies_and_nothing_else(model: Path) -> None:
    done = chat(model, questions=f"{QUESTION}\n/new\n{QUESTION}\n")
    assert (done.returncode, done.stdout) == (0, f"{ANSWERS[QUESTION]}\n" * 2)
    assert done.stderr == "Started a new conversation.\n"


@pytest.mark.parametrize("options", [(), ("--prompt", QUESTION)])
def test_a_full_disk_is_one_sentence(model: Path, options: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = chat(model, *options, questions=f"{QUESTION}\n" * 3, stdout=full)
    assert done.returncode == 1
    assert done.stderr == ("error: standard output: No space left on device; the output is incomplete\n")


def test_a_closed_pipe_ends_quietly(model: Path) -> None:
    questions = f"{QUESTION}\n/new\n" * 500
    with subprocess.Popen(
        command(model), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(f"{QUESTION}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{ANSWERS[QUESTION]}\n"
        process.stdout.close()
        try:
            process.stdin.write(questions)
            process.stdin.close()
        except BrokenPipeError:
            pass
        said = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert "Error" not in said and "error" not in said


def test_closed_input_is_refused(model: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command(model)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "error: standard input is closed; ask with --prompt TEXT\n"


def test_ctrl_c_without_a_terminal_ends_the_command(model: Path) -> None:
    with subprocess.Popen(
        command(model), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(f"{QUESTION}\n")
        process.stdin.flush()
        process.stdout.readline()
        assert interrupted(process) == 130
        assert process.stderr.read() == ""
