"""Whether the matrices in a converted model are those of the model that was converted.

A model answers almost as before when one of its matrices is wrong: the norms behind it remove much of the
difference. So the matrices themselves are compared. Rounded to nearest, a value may differ by half a step.
Other roundings move a value further where that helps the layer's output; they must preserve each row as a
whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.formats.tflite_weights import WeightMatrix, weight_matrices
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.weight_map import scale_dtype
from pipeline.quantization.rounding import FLOATS, PIECE, nearest_scales, unpacked
from pipeline.quantization.roundings import HALF_STEP, NEAREST, Rounding, find_rounding
from pipeline.quantization.schemes import Scheme

SIZE_LIMIT = 0.05
"""How much <W, stored> / <W, W> may exceed 1, or fall short of 1 - e, with e the share of W's energy that
rounding changed. Rounding that minimizes its error shortens W by just e: stored and error are orthogonal (the
centroid condition of Lloyd 1982, IEEE Transactions on Information Theory 28:129-137)."""

CHANGE_LIMITS = (0.5, 1.5)
"""<stored - W0, W - W0> / <W - W0, W - W0>: near 1 where the change from W0 to W is stored, near 0 where it
was lost."""

CHANGE_NOISE = 0.1
"""If rounding errors alone give that quotient a larger standard deviation, the change is too small to be
measured."""


class Piece(NamedTuple):
    """Some rows of a matrix, each (rows, in): as they should be, as stored, the step of plain rounding, and
    before the change."""

    wanted: NDArray[np.float32]
    stored: NDArray[np.float32]
    steps: NDArray[np.float32]
    before: NDArray[np.float32] | None = None


class StoredMatrix(NamedTuple):
    """Where a model file holds a matrix.

    Attributes:
        weight: the matrix in the file.
        scales_at: the first byte of one copy of its scales; None for floats.
    """

    weight: WeightMatrix
    scales_at: int | None


def missing_matrices(
    litertlm: Path,
    matrices: PresetMatrices,
    scheme: Scheme,
    rounding: str = NEAREST.name,
    base: PresetMatrices | None = None,
) -> list[str]:
    """Names of the matrices that a converted model does not hold, or holds in other bits than the scheme's.

    Args:
        litertlm: the converted model.
        matrices: of the folder that was converted.
        scheme: how they should be stored.
        rounding: name of the rounding. Without a row limit: every value must lie within HALF_STEP. With one:
            every row within it, every matrix within SIZE_LIMIT, and, if the base is given, the change from
            the base within CHANGE_LIMITS.
        base: of the model before tuning: a rounding coarser than the change could hide that the tuning was
            lost.

    Raises:
        InputError: one of the files is unusable.
    """
    found = find_matrices(litertlm, matrices, scheme, rounding, base)
    return [name for name in matrices.names() if name not in found]


def find_matrices(
    litertlm: Path,
    matrices: PresetMatrices,
    scheme: Scheme,
    rounding: str = NEAREST.name,
    base: PresetMatrices | None = None,
) -> dict[str, StoredMatrix]:
    """Where a converted model holds each matrix, by its Hugging Face name; without those that it lacks.

    Args and errors: as for `missing_matrices`.
    """
    stored, rule = weight_matrices(litertlm), find_rounding(rounding)
    found: dict[str, StoredMatrix] = {}
    for name in matrices.names():
        wanted = (tuple(matrices.shape(name)), scheme.bits_of(name), scheme.block_of(name))
        same_kind = (weight for weight in stored if (weight.shape, weight.bits, weight.block) == wanted)
        place = next(_holders(litertlm, same_kind, matrices, name, rule, base), None)
        if place:
            found[name] = place
    return found


def surplus_matrices(litertlm: Path, found: Mapping[str, StoredMatrix]) -> list[tuple[int, int]]:
    """The shapes of matrices in a converted model that are none of those that were looked for: the converter
    stores one twice, for example, or with a factor.

    Args:
        litertlm: the converted model.
        found: what `find_matrices` returned.
    """
    accounted = {place.weight.offset for place in found.values()}
    shapes = {place.weight.shape for place in found.values()}
    return [
        weight.shape
        for weight in weight_matrices(litertlm)
        # Floats may be small constants of the graph, too.
        if weight.offset not in accounted and (weight.bits not in FLOATS or weight.shape in shapes)
    ]


def read_stored(litertlm: Path, stored: StoredMatrix) -> NDArray[np.float32]:
    """The values that the runtime computes with, (out, in)."""
    rows = stored.weight.shape[0]
    return _stored_rows(litertlm, stored.weight, stored.scales_at, 0, rows)


def _holders(
    path: Path,
    candidates: Iterable[WeightMatrix],
    matrices: PresetMatrices,
    name: str,
    rule: Rounding,
    base: PresetMatrices | None,
) -> Iterator[StoredMatrix]:
    """The candidates that hold a matrix, with every copy of their scales."""
    for weight in candidates:
        if weight.bits in FLOATS:
            pieces = _pieces(path, weight, matrices, name, None)
            if all(np.array_equal(piece.wanted, piece.stored) for piece in pieces):
                yield StoredMatrix(weight, None)
        elif weight.scales and all(
            _close(_pieces(path, weight, matrices, name, scales_at, base), rule)
            for scales_at in weight.scales
        ):
            yield StoredMatrix(weight, min(weight.scales))


def _close(pieces: Iterator[Piece], rule: Rounding) -> bool:
    if rule.row_limit is None:
        return _values_close(pieces)
    return _rows_preserved(pieces, rule.row_limit, rule.row_error)


def _values_close(pieces: Iterator[Piece]) -> bool:
    return all(
        bool((np.abs(piece.stored - piece.wanted) <= HALF_STEP * piece.steps).all()) for piece in pieces
    )


def _rows_preserved(pieces: Iterator[Piece], row_limit: float, row_error: float) -> bool:
    count = 0
    along = power = kept_change = change = error = 0.0
    for wanted, stored, steps, before in pieces:
        difference = stored - wanted
        wide = np.square(difference / steps).mean(axis=1) > row_limit**2
        changed = np.square(difference).sum(axis=1) > row_error * np.square(wanted).sum(axis=1)
        if (wide & changed).any():
            return False
        along += float(np.vdot(wanted, stored))
        power += float(np.vdot(wanted, wanted))
        error += float(np.vdot(difference, difference))
        if before is not None:
            count += wanted.size
            kept_change += float(np.vdot(stored - before, wanted - before))
            change += float(np.vdot(wanted - before, wanted - before))
    if not -SIZE_LIMIT * power <= power - along <= error + SIZE_LIMIT * power:
        return False
    # Rounding errors in random directions move the quotient below by the root mean square error / |change|.
    if not change or error / count > CHANGE_NOISE**2 * change:
        return True
    return CHANGE_LIMITS[0] < kept_change / change < CHANGE_LIMITS[1]


def _pieces(
    path: Path,
    weight: WeightMatrix,
    matrices: PresetMatrices,
    name: str,
    scales_at: int | None,
    base: PresetMatrices | None = None,
) -> Iterator[Piece]:
    """A matrix some rows at a time, with one copy of its scales."""
    rows, columns = weight.shape
    matrix, original = matrices[name], base[name] if base else None
    # The first row alone distinguishes nearly all other matrices of this shape.
    bounds = [0, 1, *range(step := max(1, PIECE // columns), rows, step), rows]
    for start, stop in pairwise(bounds):
        if stop <= start:
            continue
        wanted = matrix[start:stop]
        stored = _stored_rows(path, weight, scales_at, start, stop)
        if weight.bits in FLOATS:
            yield Piece(wanted.astype(FLOATS[weight.bits]).astype(np.float32), stored, wanted)
            continue
        steps = nearest_scales(wanted, weight.bits, weight.block)
        yield Piece(
            wanted,
            stored,
            np.repeat(steps, columns // steps.shape[1], axis=1),
            None if original is None else original[start:stop],
        )


def _stored_rows(
    path: Path, weight: WeightMatrix, scales_at: int | None, start: int, stop: int
) -> NDArray[np.float32]:
    """Rows of a matrix in a file, with one copy of its scales."""
    rows, columns = stop - start, weight.shape[1]
    bits, offset = weight.bits, weight.offset + start * columns * weight.bits // 8
    raw = np.fromfile(path, np.uint8, rows * columns * bits // 8, offset=offset)
    if bits in FLOATS:
        return raw.view(FLOATS[bits]).reshape(rows, columns).astype(np.float32)
    assert scales_at is not None
    blocks, dtype = columns // (weight.block or columns), scale_dtype(weight.block)
    scales = np.fromfile(path, dtype, rows * blocks, offset=scales_at + start * blocks * dtype.itemsize)
    values = unpacked(raw, bits).reshape(rows, blocks, -1)
    return (values * scales.astype(np.float32).reshape(rows, blocks, 1)).reshape(rows, columns)
