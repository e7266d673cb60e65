"""A program in a terminal of its own, as a person sees it."""

import os
import pty
import re
import select
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

CONTROL = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|\r")
READY = "\x1b[?2004h"
"""prompt_toolkit asks for pastes in brackets whenever it begins to read."""


class Terminal:
    """A terminal with a program.

    Args:
        command: the program and its arguments.
        seconds: how long to wait for anything.
    """

    def __init__(self, command: Sequence[str], *, seconds: float = 60) -> None:
        self.output = ""
        self._seen = 0
        self._seconds = seconds
        self._pid, self._master = pty.fork()
        if not self._pid:
            environment = os.environ | {"PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", "COLUMNS": "200"}
            os.execvpe(command[0], list(command), environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def wait(self, text: str = READY) -> str:
        """What appears up to a text, without control sequences.

        Raises:
            TimeoutError: it does not appear.
        """
        start = self._seen
        while (place := self.output.find(text, self._seen)) < 0:
            if not self._read():
                raise TimeoutError(f"{text!r} does not appear in {self.output[start:]!r}")
        self._seen = place + len(text)
        return CONTROL.sub("", self.output[start : self._seen])

    def end(self) -> int:
        """Wait for the end of the program; returns its exit code, or minus the signal that ended it."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    content = os.read(self._master, 65536)
                except OSError:  # Linux says EIO when the program has ended
                    return False
                self.output += content.decode(errors="replace")
                return bool(content)
        return False
