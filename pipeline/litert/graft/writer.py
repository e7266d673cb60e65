"""Graft: write other matrices into a copy of a converted base, in seconds and in the memory of a few rows.

The file equals, in every byte, what a conversion of the changed model would have given (see `weight_map`), as
long as only matrices changed. The values may come from any rounding that fits the recipe's bits.
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
from pipeline.formats.litertlm_writer import stamp
from pipeline.litert.graft.weight_map import WeightLocation, WeightMap, scale_dtype
from pipeline.machine import keep_freed_memory
from pipeline.parallel import in_threads
from pipeline.quantization.rounding import Quantized


def graft(
    base: Path,
    weight_map: WeightMap,
    output: Path,
    changed: Iterable[tuple[str, Quantized | Iterable[Quantized]]],
) -> int:
    """Copy a converted base, write matrices over its own in the copy, and give the copy the id of its
    content.

    Args:
        base: the converted base, a .litertlm.
        weight_map: its weight map.
        output: the .litertlm to write; appears in one rename, complete.
        changed: Hugging Face names and new matrices, each whole or in pieces of some rows from the first row
            to the last. Pieces from an iterator are made one by one, of several matrices in parallel in
            threads.

    Returns:
        How many matrices were written.

    Raises:
        InputError: the base does not match its map, or lacks a matrix, or has it with another shape or other
            bits.
    """
    keep_freed_memory()
    with _copy(base, output) as working:
        written = sum(in_threads(lambda task: task(), _tasks(base, weight_map, working, changed)))
        stamp(working)
    return written


def _tasks(
    base: Path,
    weight_map: WeightMap,
    working: Path,
    changed: Iterable[tuple[str, Quantized | Iterable[Quantized]]],
) -> Iterator[Callable[[], int]]:
    """The tasks to run in parallel; each returns how many matrices it wrote."""

    def check() -> int:
        weight_map.check_file(base)
        return 0

    # The base is checked while the matrices are rounded: reading all of it takes a while.
    yield check
    given: set[str] = set()
    for name, matrix in changed:
        if name not in weight_map.matrices:
            raise InputError(f"{base}: matrix {name} is missing: the file was converted from another base")
        if name in given:
            raise InputError(f"{name}: given twice; give each matrix once")
        given.add(name)
        rows = [matrix] if isinstance(matrix, Quantized) else matrix
        yield partial(_write_matrix, working, name, weight_map.matrices[name], rows)
        del matrix, rows


@contextmanager
def _copy(source: Path, output: Path) -> Iterator[Path]:
    """A copy of a file under a temporary name next to `output`; renamed to `output` unless an exception is
    raised."""
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
        try:
            working.replace(output)
        except OSError as error:
            raise InputError(f"{output}: cannot be written: {error.strerror}") from None
    except BaseException:
        working.unlink(missing_ok=True)
        raise


def _copy_content(source: Path, target: Path) -> None:
    """Copy a file's bytes; where the file system supports it, both files share them until one is written
    (reflink)."""
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
        except OSError:  # across file systems, or not supported
            pass
    if left:
        shutil.copyfile(source, target)


def _write_matrix(path: Path, name: str, location: WeightLocation, pieces: Iterable[Quantized]) -> int:
    """Write a matrix from its first row to its last; returns 1, the number of matrices written."""
    rows, columns = location.shape
    blocks = 0 if location.bits >= 16 else columns // (location.block or columns)
    row = 0
    with path.open("r+b", buffering=0) as file:
        for piece in pieces:
            if (piece.bits, piece.values.shape[1], piece.scales.shape[1]) != (location.bits, columns, blocks):
                raise InputError(
                    f"{name}: has {piece.values.shape[1]} columns in {piece.bits} bits with "
                    f"{piece.scales.shape[1]} scales per row, the "
                    f"base has {columns} in {location.bits} bits with {blocks}: use the same base and recipe"
                )
            if row + len(piece.values) > rows:
                raise InputError(f"{name}: has more rows than the base's {rows}: it belongs to another base")
            scales = piece.scales.astype(scale_dtype(location.block))
            if not np.array_equal(scales, piece.scales):
                raise PocketGemmaError(f"{name}: the scales cannot be stored as {scales.dtype} without loss")
            file.seek(location.offset + row * location.row_bytes)
            file.write(piece.packed().data)
            for start in location.scales:
                file.seek(start + row * blocks * scales.itemsize)
                file.write(np.ascontiguousarray(scales).data)
            row += len(piece.values)
    if row != rows:
        raise InputError(f"{name}: has {row} rows, the base has {rows}: it belongs to another base")
    return 1
