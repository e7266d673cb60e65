"""Rounding a matrix to integers with scales, and the bytes in which LiteRT keeps them.

Symmetric, by output row: w is about scale * q with q in -7..7 (4 bits) or -127..127 (8 bits).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = {4: 7, 8: 127}
"""Largest integer of so many bits; the AI Edge Quantizer leaves -8 and -128 unused."""

FLOATS = {16: np.float16, 32: np.float32}


@dataclass(frozen=True)
class Quantized:
    """A matrix as it is stored.

    Attributes:
        values: (out, in), int8 for 4 and 8 bits, else float16 or float32.
        scales: (out, blocks), float32; blocks is 1 when a row has one scale; (out, 0) for floats.
        bits: 4, 8, 16 or 32.
    """

    values: NDArray[np.generic]
    scales: NDArray[np.float32]
    bits: int

    def packed(self) -> NDArray[np.uint8]:
        """The stored bytes, flat: two 4-bit values a byte, the first in the low four bits, each in two's complement."""
        if self.bits == 4:
            nibbles = self.values.reshape(-1).view(np.uint8) & 15
            return nibbles[0::2] | (nibbles[1::2] << 4)
        return np.ascontiguousarray(self.values).reshape(-1).view(np.uint8)

    def dequantized(self) -> NDArray[np.float32]:
        """What the runtime computes with, (out, in), float32."""
        values = self.values.astype(np.float32)
        if not self.scales.size:
            return values
        rows, blocks = self.scales.shape
        return (values.reshape(rows, blocks, -1) * self.scales[:, :, None]).reshape(values.shape)


def nearest(matrix: NDArray[np.float32], bits: int, block: int | None = None) -> Quantized:
    """Plain rounding: scale = max|w| of the row (or block) / the largest integer, as the AI Edge Quantizer does it.

    Args:
        matrix: (out, in), float32.
        bits: 4 or 8; 16 and 32 only change the float type.
        block: how many neighbours of a row share a scale, a divisor of `in`; None: the whole row.
    """
    if bits in FLOATS:
        return Quantized(matrix.astype(FLOATS[bits]), np.empty((len(matrix), 0), np.float32), bits)
    rows, columns = matrix.shape
    grouped = matrix.reshape(rows, -1, block or columns)
    scales = (np.abs(grouped).max(axis=2) / LARGEST[bits]).astype(np.float32)
    return with_scales(matrix, scales, bits)


def with_scales(matrix: NDArray[np.float32], scales: NDArray[np.float32], bits: int) -> Quantized:
    """Round to given scales; what lies beyond the largest integer is cut off.

    Args:
        matrix: (out, in), float32.
        scales: (out, blocks), float32; a row of zeros may have scale 0.
        bits: 4 or 8.
    """
    rows, blocks = scales.shape
    grouped = matrix.reshape(rows, blocks, -1)
    divisors = np.where(scales > 0, scales, np.float32(1))[:, :, None]
    values = np.clip(np.rint(grouped / divisors), -LARGEST[bits], LARGEST[bits]).astype(np.int8)
    return Quantized(values.reshape(matrix.shape), scales, bits)
