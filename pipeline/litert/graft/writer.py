"""Graft: other matrices written into a copy of a converted base, in seconds and in the memory of a few rows.

The file equals, in every byte, what a conversion of the changed model would have given (see `places`), as long as nothing but
matrices changed. The values need not be those of plain rounding: whatever fits the recipe's bits goes in the same way.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.errors import InputError, PocketGemmaError
from pipeline.formats.litertlm import stamp
from pipeline.litert.graft.weight_map import Place, Places, scale_dtype
from pipeline.machine import keep_freed_memory
from pipeline.parallel import in_threads
from pipeline.quantization.rounding import Quantized


def graft(
    base: Path,
    places: Places,
    output: Path,
    changed: Iterable[tuple[str, Quantized | Iterable[Quantized]]],
) -> int:
    """Write matrices over those of a base, into a copy of it, and give the copy the id of its content.

    Args:
        base: the converted base, a .litertlm.
        places: its map.
        output: the .litertlm to write; appears in one rename, complete.
        changed: Hugging Face names and new matrices, each whole or in pieces of some rows from the first row to the last. Pieces
            from an iterator are made one by one, of several matrices side by side in threads.

    Returns:
        How many matrices were written.

    Raises:
        InputError: the base is not the file that the map was made of; a matrix that it lacks, or of another shape or other bits.
    """
    keep_freed_memory()
    with _copy(base, output) as working:
        written = sum(in_threads(lambda task: task(), _tasks(base, places, working, changed)))
        stamp(working)
    return written


def _tasks(
    base: Path,
    places: Places,
    working: Path,
    changed: Iterable[tuple[str, Quantized | Iterable[Quantized]]],
) -> Iterator[Callable[[], int]]:
    """What is to be done, side by side; each tells how many matrices it wrote."""

    def check() -> int:
        places.check(base)
        return 0

    # The base is checked while the matrices are made: reading all of it takes a while.
    yield check
    given: set[str] = set()
    for name, matrix in changed:
        if name not in places.matrices:
            raise InputError(f"{base}: has no matrix {name}: it was converted from another base")
        if name in given:
            raise InputError(f"{name}: given twice")
        given.add(name)
        rows = [matrix] if isinstance(matrix, Quantized) else matrix
        yield partial(_write_matrix, working, name, places.matrices[name], rows)
        del matrix, rows


@contextmanager
def _copy(source: Path, output: Path) -> Iterator[Path]:
    """A copy under another name beside `output`, which it becomes unless something is raised."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from None
    working = Path(name)
    try:
        try:
            _copy_content(source, working)
        except OSError as error:
            raise InputError(f"{source}: cannot be copied to {output.parent}: {error.strerror}") from None
        yield working
        working.chmod(0o644)
        working.replace(output)
    except BaseException:
        working.unlink(missing_ok=True)
        raise


def _copy_content(source: Path, target: Path) -> None:
    """Copy a file's bytes; where the file system can, both share them until one is written (reflink)."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reader, target.open("wb") as writer:
        left = os.fstat(reader.fileno()).st_size
        try:
            while left:
                copied = os.copy_file_range(reader.fileno(), writer.fileno(), left)
                if not copied:
                    break
                left -= copied
        except OSError:  # another file system, or one that cannot
            pass
    if left:
        shutil.copyfile(source, target)


def _write_matrix(path: Path, name: str, place: Place, pieces: Iterable[Quantized]) -> int:
    """Write a matrix from its first row to its last; returns 1, for counting."""
    rows, columns = place.shape
    blocks = 0 if place.bits >= 16 else columns // (place.block or columns)
    row = 0
    with path.open("r+b", buffering=0) as file:
        for piece in pieces:
            if (piece.bits, piece.values.shape[1], piece.scales.shape[1]) != (place.bits, columns, blocks):
                raise InputError(
                    f"{name}: {piece.values.shape[1]} columns in {piece.bits} bits with {piece.scales.shape[1]} scales a row, the base "
                    f"has {columns} in {place.bits} bits with {blocks}: another base or another recipe"
                )
            if row + len(piece.values) > rows:
                raise InputError(f"{name}: has more rows than the base's {rows}: another base")
            scales = piece.scales.astype(scale_dtype(place.block))
            if not np.array_equal(scales, piece.scales):
                raise PocketGemmaError(f"{name}: its scales cannot be stored as {scales.dtype} without loss")
            file.seek(place.offset + row * place.row_bytes)
            file.write(piece.packed().data)
            for start in place.scales:
                file.seek(start + row * blocks * scales.itemsize)
                file.write(np.ascontiguousarray(scales).data)
            row += len(piece.values)
    if row != rows:
        raise InputError(f"{name}: has {row} rows, the base {rows}: another base")
    return 1
