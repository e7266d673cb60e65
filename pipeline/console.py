"""Output to the terminal. Without a terminal there are plain lines only, no progress bars.

A string that is printed is text: square brackets and colons in it mean nothing. Styles are given as `style`
or by `styled`.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipeline.errors import OutputError


class Output(Console):
    """Standard output. A closed pipe ends the command quietly with code 1: that is rich's doing."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, as rich does.

        Raises:
            OutputError: the output cannot be written, for example because the disk is full.
        """
        with _output_errors():
            super().print(*objects, **options)

    def out(self, *objects: Any, **options: Any) -> None:
        """Print text as it is, as rich does.

        Raises:
            OutputError: as for `print`.
        """
        with _output_errors():
            super().out(*objects, **options)


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror}; the output is incomplete") from None


console = Output(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Text of parts, some of them with a style: `styled(("✓", "green"), " done")`."""
    return Text.assemble(*parts)


def progress_bar() -> Progress:
    """A bar with counts and the remaining time; draws nothing if the output is not a terminal."""
    return Progress(
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner with the elapsed time, for work without countable steps; draws nothing if the output is not a
    terminal."""
    columns = (TextColumn("  {task.description}", markup=False), SpinnerColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def without_native_chatter() -> Iterator[None]:
    """Hold back what C++ libraries write to standard error while they load. After an exception it is
    printed."""
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(standard_error, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)
