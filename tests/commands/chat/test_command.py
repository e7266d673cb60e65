"""Promise: options that cannot be meant are refused before a model is opened."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.commands.chat import command
from pipeline.commands.chat.command import Options, chat_with, named_adapters
from pipeline.errors import InputError
from tests.support.fake_runtime import FakeRuntime

MODEL = Path("m.litertlm")


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Runtime", FakeRuntime)
    monkeypatch.setattr(command, "make_sure_it_opens", lambda _: None)
    monkeypatch.setattr(command, "check_adapter_file", lambda path, model: None)
    monkeypatch.setattr(command, "chosen_sampling", lambda *_: None)


def test_one_question_is_answered_without_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert chat_with(MODEL, " Hello ") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("base: Hello \n", "")


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ("", Options(), "--prompt: is empty; enter some text"),
        (" \n", Options(), "--prompt: is empty; enter some text"),
        ("ab\udcff", Options(), "--prompt: not valid UTF-8: byte 0xff at column 3, after 'ab'"),
        ("one", Options(system=""), "--system: is empty; enter some text"),
        ("one", Options(temperature=float("nan")), "--temperature nan: expected a number, 0 or more"),
        ("one", Options(temperature=-0.5), "--temperature -0.5: expected a number, 0 or more"),
        ("one", Options(seed=2**31), "--seed 2147483648: expected a whole number from 0 to 2147483647"),
        ("one", Options(seed=-1), "--seed -1: expected"),
        ("x " * 20, Options(), "the question is too long for the model's context of 12 tokens"),
        ("one", Options(system="a<end_of_turn>"), "the text contains <end_of_turn>"),
    ],
)
def test_unusable_input_is_refused(prompt: str, options: Options, message: str) -> None:
    with pytest.raises(InputError) as error:
        chat_with(MODEL, prompt, options=options)
    assert str(error.value).startswith(message)


def test_ctrl_c_ends_one_question_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "print_reply", interrupted)
    assert chat_with(MODEL, "one") == 130


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/poet.tflite", "b/poet.tflite"), "b/poet.tflite: has the same name as a/poet.tflite"),
        (("none.tflite",), "none.tflite: the name none is reserved for the base; rename the file"),
    ],
)
def test_adapters_need_different_names(names: Sequence[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named_adapters(MODEL, [Path(name) for name in names])
