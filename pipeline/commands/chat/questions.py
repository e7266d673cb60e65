"""Where the questions come from: a user at a terminal, or the lines of a file or a pipe."""

import codecs
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from pipeline.console import console, errors
from pipeline.data.encoding import not_utf8
from pipeline.data.faults import Place
from pipeline.errors import InputError, PocketGemmaError

STANDARD_INPUT = Path("standard input")
LONGEST_LINE = 2**20
"""Bytes of a line: more than any context takes. Without a limit, a line without an end would fill the
memory."""


class Questions(Protocol):
    """A source of questions, and where remarks about them go.

    Attributes:
        interactive: a user reads the replies and can react.
    """

    interactive: bool

    def read(self) -> str | None:
        """The next question or command without white space at both ends; None at the end.

        Raises:
            InputError: it cannot be read.
        """
        ...

    def note(self, text: str) -> None:
        """Say something that is no reply."""
        ...

    def refuse(self, error: PocketGemmaError) -> None:
        """Say why the last question has no reply."""
        ...


def questions_of(stream: TextIO | None) -> Questions:
    """The questions of standard input.

    Raises:
        InputError: it is closed.
    """
    if stream is None or stream.closed:
        raise InputError("standard input is closed; ask with --prompt TEXT")
    if stream.isatty() and console.is_terminal:
        from pipeline.commands.chat.terminal import TerminalQuestions

        return TerminalQuestions()
    return LineQuestions(stream.buffer, prompts=stream.isatty())


class LineQuestions:
    """A question on each line. Standard output gets replies only, remarks go to standard error.

    Args:
        stream: UTF-8, with or without a byte order mark.
        prompts: say on standard error when a line is expected.
    """

    interactive = False

    def __init__(self, stream: BinaryIO, *, prompts: bool = False) -> None:
        self._stream = stream
        self._prompts = prompts
        self._number = 0
        self._ended = False

    def read(self) -> str | None:
        if self._ended:
            return None
        if self._prompts:
            errors.print("you> ", style="bold", end="")
        try:
            line = self._stream.readline(LONGEST_LINE + 1)
        except OSError as error:
            self._ended = True
            raise InputError(f"{STANDARD_INPUT}: cannot be read: {error.strerror}") from None
        if not line:
            return None
        self._number += 1
        if len(line) > LONGEST_LINE:
            self._ended = True
            raise InputError(f"{self._place}: is longer than {LONGEST_LINE:,} bytes; shorten it")
        if self._number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            return line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError(f"{self._place}: {not_utf8(line, error)}; save it as UTF-8") from None

    def note(self, text: str) -> None:
        errors.print(text, style="dim")

    def refuse(self, error: PocketGemmaError) -> None:
        place = "" if str(error).startswith(str(STANDARD_INPUT)) else f"{self._place}: "
        errors.print("error:", style="bold red", end=" ")
        errors.print(f"{place}{error}")

    @property
    def _place(self) -> Place:
        return Place(STANDARD_INPUT, self._number)
