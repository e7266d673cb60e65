"""Promise: a stranger who has only the model file, and the runtime's own command line, gets the answers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo_run import demo_run

pytestmark = pytest.mark.slow
QUESTION = "Which element has the symbol Au?"


def litert_lm(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("litert-lm")), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-1000:]
    return result.stdout


def test_it_answers_as_our_chat_does() -> None:
    model = demo_run("convert") / "convert" / "model.litertlm"
    answer = litert_lm("run", str(model), "--prompt", QUESTION).strip()
    ours = subprocess.run(
        [sys.executable, "-m", "pipeline", "chat", "--run", str(model.parents[1]), "--prompt", QUESTION],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert answer == ours
    assert "gold" in answer.casefold()


def test_it_describes_what_we_declare() -> None:
    model = demo_run("convert") / "convert" / "model.litertlm"
    facts = litert_lm("describe", str(model))
    assert "Max Context Tokens:     512" in facts
    assert "Text Backends:          CPU GPU" in facts
