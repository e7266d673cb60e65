"""Whether the matrices in a converted model are those of the model that was converted.

A model answers nearly as before when one of its matrices is wrong: the norms behind it take much of the difference away. The matrices
themselves hide nothing. Rounded to nearest, a number may be off by half a step, and not by more. Other roundings move a number further
where that helps the layer's output; what they must keep is each row as a whole.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.formats.tflite_weights import StoredWeight, stored_weights
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.weight_map import scale_dtype
from pipeline.quantization.rounding import FLOATS, PIECE, nearest_scales, unpacked
from pipeline.quantization.schemes import Scheme

NEAREST_LIMIT = 0.51
"""Half a step, and a little for scales of 8 significant bits."""

ROW_LIMITS = {"least_squares": 0.51}
"""Root mean square of a row's errors, in steps of plain rounding: at nearest it is half a step at most, and least squares is no worse."""

ROW_LIMIT = 1.0
"""The same for roundings that look beyond the row: GPTQ was seen to reach 0.67."""

SIZE_LIMIT = 0.05
"""How far <W, stored> / <W, W> may be from 1."""

CHANGE_LIMITS = (0.5, 1.5)
"""<stored - W0, W - W0> / <W - W0, W - W0>: near 1 where the change from W0 to W is stored, near 0 where it was lost."""

CHANGE_NOISE = 0.1
"""Standard deviation of that number by rounding errors alone beyond which it tells nothing: the change is too small."""


class Piece(NamedTuple):
    """Some rows of a matrix, each (rows, in): as they should be, as they are stored, the step of plain rounding, and before the change."""

    wanted: NDArray[np.float32]
    stored: NDArray[np.float32]
    steps: NDArray[np.float32]
    before: NDArray[np.float32] | None = None


def missing_matrices(
    litertlm: Path,
    matrices: PresetMatrices,
    scheme: Scheme,
    rounding: str = "nearest",
    base: PresetMatrices | None = None,
) -> list[str]:
    """Names of the matrices that a converted model does not hold, or not in the bits that it should.

    Args:
        litertlm: the converted model.
        matrices: of the folder that it was made of.
        scheme: how they should be stored.
        rounding: `nearest`: every number must lie within half a step. Any other: every row within its limit, every matrix within
            SIZE_LIMIT, and, if the base is given, what changed since within CHANGE_LIMITS.
        base: of what the model was before it was tuned: a rounding coarser than the tuning could hide that the tuning was lost.

    Raises:
        InputError: one of them is unusable.
    """
    stored = stored_weights(litertlm)

    def held(name: str) -> bool:
        shape, bits = tuple(matrices.shape(name)), scheme.bits_of(name)
        wanted = (shape, bits, scheme.block_of(name))
        return any(
            _holds(litertlm, weight, matrices, name, rounding, base)
            for weight in stored
            if (weight.shape, weight.bits, weight.block) == wanted
        )

    return [name for name in matrices.names() if not held(name)]


def _holds(
    path: Path,
    weight: StoredWeight,
    matrices: PresetMatrices,
    name: str,
    rounding: str,
    base: PresetMatrices | None,
) -> bool:
    if weight.bits in FLOATS:
        return all(
            np.array_equal(piece.wanted, piece.stored)
            for piece in _pieces(path, weight, matrices, name, None)
        )
    for place in weight.scales:
        pieces = _pieces(path, weight, matrices, name, place, base)
        if not (
            _near(pieces) if rounding == "nearest" else _kept(pieces, ROW_LIMITS.get(rounding, ROW_LIMIT))
        ):
            return False
    return bool(weight.scales)


def _near(pieces: Iterator[Piece]) -> bool:
    return all(
        bool((np.abs(piece.stored - piece.wanted) <= NEAREST_LIMIT * piece.steps).all()) for piece in pieces
    )


def _kept(pieces: Iterator[Piece], row_limit: float) -> bool:
    numbers = 0
    along = power = kept_change = change = error = 0.0
    for wanted, stored, steps, before in pieces:
        difference = stored - wanted
        if (np.square(difference / steps).mean(axis=1) > row_limit**2).any():
            return False
        along += float(np.vdot(wanted, stored))
        power += float(np.vdot(wanted, wanted))
        if before is not None:
            numbers += wanted.size
            error += float(np.vdot(difference, difference))
            kept_change += float(np.vdot(stored - before, wanted - before))
            change += float(np.vdot(wanted - before, wanted - before))
    if abs(along - power) > SIZE_LIMIT * power:
        return False
    # Rounding errors without a direction of their own move the part of the change that is kept by rms error / |change|.
    if not change or error / numbers > CHANGE_NOISE**2 * change:
        return True
    return CHANGE_LIMITS[0] < kept_change / change < CHANGE_LIMITS[1]


def _pieces(
    path: Path,
    weight: StoredWeight,
    matrices: PresetMatrices,
    name: str,
    scales_at: int | None,
    base: PresetMatrices | None = None,
) -> Iterator[Piece]:
    """A matrix some rows at a time, with the scales at one of their places."""
    rows, columns = weight.shape
    matrix, original = matrices[name], base[name] if base else None
    # The first row alone tells nearly all other matrices of this shape apart.
    bounds = [0, 1, *range(step := max(1, PIECE // columns), rows, step), rows]
    for start, stop in pairwise(bounds):
        if stop <= start:
            continue
        wanted, count = matrix[start:stop], (stop - start) * columns
        raw = np.fromfile(
            path,
            np.uint8,
            count * weight.bits // 8,
            offset=weight.offset + start * columns * weight.bits // 8,
        )
        if weight.bits in FLOATS:
            dtype = FLOATS[weight.bits]
            yield Piece(
                wanted.astype(dtype).astype(np.float32),
                raw.view(dtype).reshape(wanted.shape).astype(np.float32),
                wanted,
            )
            continue
        assert scales_at is not None
        blocks, dtype_of_scales = columns // (weight.block or columns), scale_dtype(weight.block)
        scales = np.fromfile(
            path,
            dtype_of_scales,
            (stop - start) * blocks,
            offset=scales_at + start * blocks * dtype_of_scales.itemsize,
        ).astype(np.float32)
        values = unpacked(raw, weight.bits).reshape(stop - start, blocks, -1)
        steps = nearest_scales(wanted, weight.bits, weight.block)
        yield Piece(
            wanted,
            (values * scales.reshape(-1, blocks, 1)).reshape(wanted.shape),
            np.repeat(steps, columns // blocks, axis=1),
            None if original is None else original[start:stop],
        )
