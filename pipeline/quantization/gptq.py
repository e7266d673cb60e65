"""GPTQ: the rounding error of each column is compensated by the columns that are not yet rounded.

Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
arXiv:2210.17323. It minimizes the error of a layer's outputs on calibration inputs X, |W X - Q X|^2 = tr((W -
Q) H (W - Q)^T) with H = X X^T.
"""

from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from pipeline.parallel import in_threads
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares

DAMPING = 0.01
"""Share of the mean of H's diagonal that is added to the diagonal, as in the paper: H of few examples is
nearly singular."""

COLUMNS = 128
"""Columns rounded before the other columns are updated (the paper's lazy batch updates): matrix products
instead of outer products."""

DESCENTS = 2
"""Passes of coordinate descent after GPTQ; more passes change the error little."""

SCALED_ROWS = 64
"""Rows whose scales a thread computes at a time."""

ROWS = 8192
"""Rows rounded at a time, so that no several float32 copies of an embedding with 262,144 rows are in
memory."""


def gptq(
    matrix: NDArray[np.float32],
    hessian: NDArray[np.floating],
    bits: int,
    block: int | None = None,
    *,
    across: NDArray[np.floating] | None = None,
    damping: float = DAMPING,
    descents: int = DESCENTS,
) -> Quantized:
    """Integers and scales that preserve the outputs of a matrix for the inputs that it gets.

    The scales have the least squared error with H's diagonal as importance. Columns are rounded in order of
    decreasing diagonal (known as activation order). GPTQ never revises a column; coordinate descent over the
    columns reduces the remaining error (Behdin et al. 2023, "QuantEase", arXiv:2309.01885), alternating with
    the best scales for the integers if a row has one scale.

    Args:
        matrix: (out, in), float32.
        hessian: (in, in), the sum of x x^T over calibration inputs x; its overall scale does not matter.
        bits: 4 or 8.
        block: how many neighboring values of a row share a scale; None: the whole row.
        across: (in, in), the sum of y x^T, where y is the input in the model without any rounding; the
            outputs for x then approximate those of the matrix for y. None: x is that input.
        damping: share of the mean of H's diagonal that is added to the diagonal.
        descents: passes of coordinate descent; 0 is GPTQ alone.
    """
    curvature, mean = _damped(hessian, damping)
    importance = torch.diagonal(curvature).numpy().copy()
    order = torch.argsort(torch.diagonal(curvature), descending=True, stable=True)
    factors = _inverse_factor(curvature, order)
    if across is not None and mean > 0:
        change = np.subtract(across, hessian, dtype=np.float32)
        change /= mean
        matrix = _towards(matrix, change, order.numpy(), factors)
        del change
    pieces = []
    for start in range(0, len(matrix), ROWS):
        piece = matrix[start : start + ROWS]
        weights = torch.from_numpy(piece).T.contiguous()
        steps = torch.from_numpy(_scales(piece, bits, block, importance).T.copy())
        integers = _round_columns(weights, order, factors, steps, LARGEST[bits])
        for descent in range(descents):
            if block is None:
                steps = _best_scales(weights, integers, curvature, steps)
            if block is None or descent == 0:
                gradient = curvature @ (weights - _stored(integers, steps))
            _descend(integers, gradient, curvature, steps, LARGEST[bits])
        pieces.append((integers.T.to(torch.int8).numpy(), steps.T.numpy()))
    values, scales = zip(*pieces, strict=True)
    return Quantized(np.concatenate(values), np.concatenate(scales), bits)


def _scales(
    matrix: NDArray[np.float32], bits: int, block: int | None, importance: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Scales (out, blocks) by least squares."""

    def scales_from(start: int) -> tuple[int, NDArray[np.float32]]:
        return start, least_squares(matrix[start : start + SCALED_ROWS], bits, block, importance).scales

    return np.concatenate(
        [
            scales
            for _, scales in sorted(
                in_threads(scales_from, range(0, len(matrix), SCALED_ROWS)), key=itemgetter(0)
            )
        ]
    )


def _damped(hessian: NDArray[np.floating], damping: float) -> tuple[torch.Tensor, float]:
    """H with a mean diagonal of 1, made safely invertible, float32; and the mean of its diagonal.

    An input that was always 0 in calibration gives no information about its column, which is then rounded
    independently.
    """
    mean = float(np.trace(hessian)) / len(hessian)
    if mean <= 0:
        return torch.eye(len(hessian)), 0.0
    curvature = torch.from_numpy((hessian / mean).astype(np.float32, copy=False))
    torch.diagonal(curvature).add_(damping)
    return curvature, mean


def _towards(
    matrix: NDArray[np.float32], change: NDArray[np.float32], order: NDArray[np.int64], factors: torch.Tensor
) -> NDArray[np.float32]:
    """The matrix W' whose outputs for x are nearest to those of W for y, by least squares, damped towards W.

    W' H = W (sum of y x^T), so W' = W + W (sum of (y - x) x^T) H^-1, and the inverse of H is U^T U.

    Args:
        matrix: W, (out, in).
        change: the sum of (y - x) x^T, on the scale of H.
        order: of the columns of `factors`.
        factors: U.
    """
    wanted = matrix.copy()
    # BLAS stores matrices by columns: what is an upper triangle here is a lower one there.
    triangle = factors.numpy().T
    for start in range(0, len(matrix), ROWS):
        found = (matrix[start : start + ROWS] @ change)[:, order].T
        for transposed in (1, 0):
            found = blas.strmm(1.0, triangle, found, lower=1, trans_a=transposed)
        wanted[start : start + ROWS, order] += found.T
    return wanted


def _round_columns(
    weights: torch.Tensor, order: torch.Tensor, factors: torch.Tensor, steps: torch.Tensor, largest: int
) -> torch.Tensor:
    """GPTQ's integers, (in, out) as float32, of weights (in, out) with scales (blocks, out).

    `factors` is the factor of H with its columns in `order`, the order of rounding.
    """
    inputs = len(weights)
    left = weights[order]
    groups = order // (inputs // len(steps))
    integers = torch.empty_like(left)
    errors = torch.empty((COLUMNS, left.shape[1]))
    for start in range(0, inputs, COLUMNS):
        stop = min(start + COLUMNS, inputs)
        for column in range(start, stop):
            step = steps[groups[column]]
            integers[column] = (left[column] / step).round_().clamp_(-largest, largest)
            error = (left[column] - integers[column] * step) / factors[column, column]
            errors[column - start] = error
            left[column + 1 : stop].addr_(factors[column, column + 1 : stop], error, alpha=-1)
        left[stop:].addmm_(factors[start:stop, stop:].T, errors[: stop - start], alpha=-1)
    unordered = torch.empty_like(integers)
    unordered[order] = integers
    return unordered


def _inverse_factor(curvature: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """U, upper triangular, float32, with the inverse of H = U^T U; rows and columns of H in `order`.

    H reversed, factored and reversed back is R R^T with R upper triangular, and U is the inverse of R. The
    condition number of the factor is the square root of that of H, so float32 is enough for its inverse and
    takes half the time.
    """
    turned = order.flip(0)
    reversed_curvature = curvature[turned][:, turned].numpy().astype(np.float64)
    # LAPACK stores matrices by columns: what is a lower triangle here is an upper one there.
    factor, failed = lapack.dpotrf(reversed_curvature.T, lower=0, overwrite_a=1)
    assert not failed
    inverse, failed = lapack.strtri(factor.astype(np.float32), lower=0, overwrite_c=1)
    assert not failed
    return torch.from_numpy(inverse.T).flip(0, 1)


def _best_scales(
    weights: torch.Tensor, integers: torch.Tensor, curvature: torch.Tensor, steps: torch.Tensor
) -> torch.Tensor:
    """The scale (1, out) of each row that is best for its integers: <w, H q> / <q, H q>."""
    along = curvature @ integers
    power = (integers * along).sum(0, keepdim=True)
    best = (weights * along).sum(0, keepdim=True) / power.clamp_min(1e-12)
    return torch.where((power > 0) & (best > 0), best, steps)


def _stored(integers: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The values (in, out) of integers (in, out) with scales (blocks, out)."""
    return (integers.view(len(steps), -1, integers.shape[1]) * steps[:, None]).view(integers.shape)


def _descend(
    integers: torch.Tensor,
    gradient: torch.Tensor,
    curvature: torch.Tensor,
    steps: torch.Tensor,
    largest: int,
) -> None:
    """One pass over the columns, in place: each gets its best integer while the others are fixed. The error
    never grows.

    Args:
        integers: (in, out), float32.
        gradient: H (W - Q), (in, out); kept up to date.
        curvature: H.
        steps: scales, (blocks, out).
        largest: integer.
    """
    inputs, width = len(integers), len(integers) // len(steps)
    changes = torch.zeros((COLUMNS, integers.shape[1]))
    for start in range(0, inputs, COLUMNS):
        stop = min(start + COLUMNS, inputs)
        for column in range(start, stop):
            step = steps[column // width]
            best = integers[column] + gradient[column] / (curvature[column, column] * step)
            best.round_().clamp_(-largest, largest)
            change = (best - integers[column]) * step
            integers[column] = best
            changes[column - start] = change
            gradient[start:stop].addr_(curvature[start:stop, column], change, alpha=-1)
        # Within the piece the gradient is already up to date.
        gradient[:start].addmm_(curvature[:start, start:stop], changes[: stop - start], alpha=-1)
        gradient[stop:].addmm_(curvature[stop:, start:stop], changes[: stop - start], alpha=-1)
