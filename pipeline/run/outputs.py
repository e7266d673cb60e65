"""Files that a command writes outside the run folder: never what it reads, and never half written."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError
from pipeline.run.finished import refuse_finished_stage


def check_output(output: Path, inputs: Iterable[Path], option: str) -> None:
    """Check that a file may be written: nothing that the command reads, nor anything but a file.

    Args:
        output: the file to write; may exist.
        inputs: the files and folders that the command reads; some may not exist.
        option: of the command line that names the output, for messages.

    Raises:
        InputError: it is a folder or a device, an input, or lies in a folder that is an input or in the
            result of a finished stage.
    """
    if output.is_dir():
        raise InputError(f"{output}: is a folder; name the file to write with {option}")
    if output.exists() and not output.is_file():
        raise InputError(f"{output}: is not a file but a device or pipe; choose a file with {option}")
    for each in inputs:
        if _same(output, each):
            raise InputError(f"{output}: is an input of this command; choose another file with {option}")
        if each.is_dir() and _lies_in(output, each):
            raise InputError(
                f"{output}: is inside {each}, an input of this command; choose a place outside it with "
                f"{option}"
            )
    refuse_finished_stage(output)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths mean the same file, which need not exist."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, itself or as the target of one of its links."""
    places = {path.resolve(), path.parent.resolve() / path.name}
    if any(place.is_relative_to(folder.resolve()) for place in places):
        return True
    return path.exists() and any(each.samefile(path) for each in folder.rglob("*") if each.is_file())


@contextmanager
def replacing(output: Path, option: str) -> Iterator[Callable[[str], None]]:
    """A function that replaces a text file (UTF-8) atomically.

    A place that cannot be written is found at once, before the work for the text.

    Args:
        output: the file.
        option: of the command line that names it, for messages.

    Raises:
        InputError: the file cannot be written; the function raises it, too.
    """
    target = output.resolve()  # A link stays a link.
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")

    def save(text: str) -> None:
        try:
            partial.write_text(text, encoding="utf-8")
            if target.exists():
                shutil.copymode(target, partial)
            partial.replace(target)
        except OSError as error:
            raise _cannot_be_written(output, error, option) from None

    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        partial.touch()
    except OSError as error:
        raise _cannot_be_written(output, error, option) from None
    try:
        yield save
    finally:
        partial.unlink(missing_ok=True)


def _cannot_be_written(output: Path, error: OSError, option: str) -> InputError:
    return InputError(f"{output}: cannot be written: {error.strerror}; choose another file with {option}")
