"""Rounding a matrix to integers with scales, and the bytes that LiteRT stores.

Symmetric, by output row: w is approximately scale * q with q in -7..7 (4 bits) or -127..127 (8 bits).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = {4: 7, 8: 127}
"""Largest integer by number of bits; the AI Edge Quantizer does not use -8 and -128."""

SMALLEST_BOUND = np.float32(1e-9)
"""Lower limit of a row's max|w| in the AI Edge Quantizer, so that a row of zeros has a scale."""

GRID = np.linspace(0.4, 0.975, 24)
"""Fractions of the plain scale from which least squares starts; a normal distribution in 4 bits is best
clipped near two thirds of its maximum."""

REFINEMENTS = 4

PIECE = 1 << 18
"""Values rounded at a time; they fit the processor's cache."""

FLOATS = {16: np.float16, 32: np.float32}


@dataclass(frozen=True)
class Quantized:
    """A quantized matrix.

    Attributes:
        values: (out, in), int8 for 4 and 8 bits, else float16 or float32.
        scales: (out, blocks), float32; blocks is 1 if a row has one scale; (out, 0) for floats.
        bits: 4, 8, 16 or 32.
    """

    values: NDArray[np.generic]
    scales: NDArray[np.float32]
    bits: int

    def packed(self) -> NDArray[np.uint8]:
        """The stored bytes, flat: two 4-bit values in a byte, the first in the low four bits, in two's
        complement."""
        if self.bits == 4:
            nibbles = self.values.reshape(-1).view(np.uint8) & np.uint8(15)
            return nibbles[0::2] | (nibbles[1::2] << np.uint8(4))
        return np.ascontiguousarray(self.values).reshape(-1).view(np.uint8)

    def rows(self, start: int, stop: int) -> "Quantized":
        """The rows from start to stop."""
        return Quantized(self.values[start:stop], self.scales[start:stop], self.bits)

    def dequantized(self) -> NDArray[np.float32]:
        """The values that the runtime computes with, (out, in), float32."""
        values = self.values.astype(np.float32)
        if not self.scales.size:
            return values
        rows, blocks = self.scales.shape
        return (values.reshape(rows, blocks, -1) * self.scales[:, :, None]).reshape(values.shape)


def unpacked(raw: NDArray[np.uint8], bits: int) -> NDArray[np.int8]:
    """The integers, flat, of stored bytes (`Quantized.packed`) of 4 or 8 bits."""
    if bits == 8:
        return raw.view(np.int8)
    values = np.empty(raw.size * 2, np.int8)
    values[0::2], values[1::2] = (raw << 4).view(np.int8) >> 4, raw.view(np.int8) >> 4
    return values


def nearest(matrix: NDArray[np.float32], bits: int, block: int | None = None) -> Quantized:
    """Plain rounding: scale = max|w| of the row (or block) / the largest integer, as in the AI Edge
    Quantizer.

    Args:
        matrix: (out, in), float32.
        bits: 4 or 8; 16 and 32 convert to that float type.
        block: how many neighboring values of a row share a scale, a divisor of `in`; None: the whole row.
    """
    if bits in FLOATS:
        return Quantized(matrix.astype(FLOATS[bits]), np.empty((len(matrix), 0), np.float32), bits)
    return with_scales(matrix, nearest_scales(matrix, bits, block), bits)


def nearest_scales(matrix: NDArray[np.float32], bits: int, block: int | None = None) -> NDArray[np.float32]:
    """The scales (out, blocks) of plain rounding for a matrix (out, in) in 4 or 8 bits."""
    rows, columns = matrix.shape
    grouped = matrix.reshape(rows, -1, block or columns)
    # Without a copy of the matrix, as of its absolute values.
    bound = np.maximum(grouped.max(axis=2), -grouped.min(axis=2))
    scales = (np.maximum(bound, SMALLEST_BOUND) / LARGEST[bits]).astype(np.float32)
    return storable(scales) if block else scales


def storable(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales of blocks as LiteRT stores them: rounded to bfloat16 (8 significant bits), then written as
    float16."""
    bits = scales.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return rounded.view(np.float32).astype(np.float16).astype(np.float32)


def least_squares(
    matrix: NDArray[np.float32],
    bits: int,
    block: int | None = None,
    importance: NDArray[np.float32] | None = None,
) -> Quantized:
    """Rounding with the scales that minimize the sum of importance * (w - scale * q)^2, which clips the
    largest values of a row.

    The objective is OMSE (Choukroun et al. 2019, "Low-bit Quantization of Neural Networks for Efficient
    Inference", arXiv:1902.06822). For given integers the best scale is <w, q> / <q, q>, for a given scale
    rounding gives the best integers; these two steps alternate from the best of a grid of scales.

    Args:
        matrix: (out, in), float32.
        bits: 4 or 8.
        block: as in `nearest`.
        importance: (in,), float32, not negative: the weight of an error in each column, such as the mean
            square of its input; None: equal weights.

    Returns:
        A matrix whose error is in no row (or block) larger than with plain rounding.
    """
    rows, columns = matrix.shape
    width = block or columns
    weights = np.ones(columns, np.float32) if importance is None else importance.astype(np.float32)
    weights = weights.reshape(-1, width)
    step = max(1, PIECE // columns)
    pieces = [
        _least_squares_scales(
            matrix[start : start + step].reshape(-1, columns // width, width), bits, weights
        )
        for start in range(0, rows, step)
    ]
    scales = np.concatenate(pieces) if pieces else np.empty((0, columns // width), np.float32)
    return with_scales(matrix, scales, bits)


def _least_squares_scales(
    grouped: NDArray[np.float32], bits: int, weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Scales (rows, blocks) for values (rows, blocks, width)."""
    largest, blocks = LARGEST[bits], grouped.shape[1]
    keep = storable if blocks > 1 else np.asarray
    weighted = grouped * weights

    def integers(scales: NDArray[np.float32]) -> NDArray[np.float32]:
        # The scale of a block of zeros is too small for float16.
        divisors = np.where(scales > 0, scales, np.float32(1))
        return np.clip(np.rint(grouped / divisors[..., None]), -largest, largest)

    def fitted(scales: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The best scale for the integers that a scale gives, and the part of the sum of squares that they
        then explain."""
        values = integers(scales)
        along = np.einsum("rbw,rbw->rb", weighted, values)
        power = np.einsum("bw,rbw,rbw->rb", weights, values, values)
        usable = (along > 0) & (power > 0)
        power = np.where(usable, power, np.float32(1))
        return np.where(usable, along / power, scales), np.where(usable, along * along / power, 0)

    def error(scales: NDArray[np.float32]) -> NDArray[np.float32]:
        difference = grouped - integers(scales) * scales[..., None]
        squares: NDArray[np.float32] = np.einsum("bw,rbw,rbw->rb", weights, difference, difference)
        return squares

    plain = np.maximum(np.abs(grouped).max(axis=2), SMALLEST_BOUND).astype(np.float32) / np.float32(largest)
    best, gain = fitted(plain)
    for part in GRID:
        scales, found = fitted(plain * np.float32(part))
        best, gain = np.where(found > gain, scales, best), np.maximum(found, gain)
    for _ in range(REFINEMENTS):
        best, _ = fitted(best)
    plain, best = keep(plain), keep(best)
    return np.where(error(best) < error(plain), best, plain)


def with_scales(matrix: NDArray[np.float32], scales: NDArray[np.float32], bits: int) -> Quantized:
    """Round to given scales; values beyond the largest integer are clipped.

    Args:
        matrix: (out, in), float32.
        scales: (out, blocks), float32; a row of zeros may have scale 0.
        bits: 4 or 8.
    """
    rows, blocks = scales.shape
    divisors = np.where(scales > 0, scales, np.float32(1))[:, :, None]
    values = np.empty(matrix.shape, np.int8)
    step = max(1, PIECE // matrix.shape[1])
    for start in range(0, rows, step):
        piece = matrix[start : start + step]
        grouped = piece.reshape(len(piece), blocks, -1)
        integers = np.rint(grouped / divisors[start : start + step])
        values[start : start + step] = np.clip(integers, -LARGEST[bits], LARGEST[bits]).reshape(piece.shape)
    return Quantized(values, scales, bits)
