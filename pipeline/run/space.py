"""Room on the disk, taken before work whose result must not be lost for lack of it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PocketGemmaError

BYTES_AT_A_TIME = 1 << 24


@contextmanager
def reserved(path: Path, size: int) -> Iterator[Callable[[], None]]:
    """Reserve space on a disk with a file.

    Args:
        path: the file; gone at the end of the block.
        size: bytes.

    Yields:
        A function that gives the room back.

    Raises:
        PocketGemmaError: the disk has less room.
    """
    try:
        try:
            _fill(path, size)
        except OSError as error:
            raise PocketGemmaError(
                f"{path.parent}: not enough space for a result of {size / 1e6:,.1f} MB ({error.strerror}); "
                "free some space, or choose another folder with --run"
            ) from None
        yield lambda: path.unlink(missing_ok=True)
    finally:
        path.unlink(missing_ok=True)


def write_somewhere(write: Callable[[Path], None], path: Path) -> None:
    """Write a result that took long to compute; if its disk refuses, into the folder for temporary files.

    Args:
        write: writes the file that it is given.
        path: where the file belongs.

    Raises:
        PocketGemmaError: it could not be written there; says where it is.
    """
    try:
        write(path)
    except OSError as error:
        saved = Path(tempfile.mkdtemp(prefix="pocketgemma-")) / path.name
        write(saved)
        raise PocketGemmaError(
            f"{path}: cannot be written ({error.strerror or error}); the result is kept in {saved}: copy it "
            "before you train again"
        ) from error


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        for start in range(0, size, BYTES_AT_A_TIME):
            file.write(bytes(min(BYTES_AT_A_TIME, size - start)))
        file.flush()
        os.fsync(file.fileno())
