"""Promise: questions from a file or a pipe are read line by line, and what is wrong with one is named."""

import io

import pytest

from pipeline.commands.chat.questions import LONGEST_LINE, LineQuestions, questions_of
from pipeline.errors import InputError


def lines(content: bytes) -> LineQuestions:
    return LineQuestions(io.BytesIO(content))


def test_each_line_is_a_question() -> None:
    questions = lines(b"\xef\xbb\xbfone\r\n\n  two\xc3\xa4")
    assert [questions.read() for _ in range(4)] == ["one", "", "twoä", None]


def test_a_line_that_is_not_utf8_is_named_and_the_next_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    questions = lines(b"one\nabc\xff\nthree\n")
    questions.read()
    with pytest.raises(InputError, match="not valid UTF-8") as error:
        questions.read()
    assert str(error.value) == (
        "standard input line 2: not valid UTF-8: byte 0xff at column 4, after 'abc'; save it as UTF-8"
    )
    assert questions.read() == "three"


def test_a_line_without_an_end_is_refused() -> None:
    questions = lines(b"x" * (LONGEST_LINE + 5))
    with pytest.raises(InputError, match="standard input line 1: is longer than 1,048,576 bytes"):
        questions.read()
    assert questions.read() is None


def test_input_that_cannot_be_read_ends() -> None:
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    questions = LineQuestions(Broken())
    with pytest.raises(InputError, match="standard input: cannot be read: Input/output error"):
        questions.read()
    assert questions.read() is None


def test_what_is_no_reply_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    questions = lines(b"one\n")
    questions.read()
    questions.note("a [b]")
    questions.refuse(InputError("too long"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "a [b]\nerror: standard input line 1: too long\n"


def test_closed_input_is_refused() -> None:
    with pytest.raises(InputError, match="standard input is closed; ask with --prompt TEXT"):
        questions_of(None)
