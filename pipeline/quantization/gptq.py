"""GPTQ: each column's rounding error is made up for by the columns not yet rounded.

Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", arXiv:2210.17323. What is
small is the error of the layer's outputs on calibration inputs X, |W X - Q X|^2 = tr((W - Q) H (W - Q)^T) with H = X X^T.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, storable

DAMPING = 0.01
"""Part of the mean of H's diagonal that is added to the diagonal, as in the paper: H of few examples is nearly singular."""

COLUMNS = 128
"""Columns rounded before the others hear of it (the paper's lazy batch updates): matrix products instead of outer ones."""

DESCENTS = 4
"""Rounds of coordinate descent after GPTQ; the error changes little after them."""


def gptq(
    matrix: NDArray[np.float32],
    hessian: NDArray[np.floating],
    bits: int,
    block: int | None = None,
    *,
    damping: float = DAMPING,
    descents: int = DESCENTS,
) -> Quantized:
    """Integers and scales that keep what a matrix gives for the inputs that it gets.

    The scales are those of least squared error with H's diagonal as importance. Columns are rounded in order of falling diagonal
    (the paper's successor calls it activation order). What GPTQ, which never looks back, leaves, coordinate descent over the columns
    takes out (Behdin et al. 2023, "QuantEase", arXiv:2309.01885), alternating with the best scales for the integers when a row
    has one scale.

    Args:
        matrix: (out, in), float32.
        hessian: (in, in), the sum of x x^T over calibration inputs x; only its shape matters, not its size.
        bits: 4 or 8.
        block: how many neighbours of a row share a scale; None: the whole row.
        damping: part of the mean of H's diagonal added to the diagonal.
        descents: rounds of coordinate descent; 0 is GPTQ alone.
    """
    curvature = damped(hessian, damping)
    importance = torch.diagonal(curvature).numpy().astype(np.float32)
    scales = least_squares(matrix, bits, block, importance).scales
    weights = torch.from_numpy(matrix).T.contiguous()
    steps = torch.from_numpy(np.ascontiguousarray(scales.T))
    integers = _round_columns(weights, curvature, steps, LARGEST[bits])
    curvature = curvature.float()
    for _ in range(descents):
        if block is None:
            steps = _best_scales(weights, integers, curvature, steps)
        integers = _descend(weights, integers, curvature, steps, LARGEST[bits])
    kept = steps.T.contiguous().numpy()
    return Quantized(integers.T.contiguous().to(torch.int8).numpy(), storable(kept) if block else kept, bits)


def damped(hessian: NDArray[np.floating], damping: float = DAMPING) -> torch.Tensor:
    """H with a mean diagonal of 1, made safely invertible; float64.

    An input that was always 0 in calibration says nothing about its column, which is then rounded as if it stood alone.
    """
    curvature = torch.from_numpy(np.array(hessian, np.float64))
    diagonal = torch.diagonal(curvature)
    mean = diagonal.mean()
    if mean <= 0:
        return torch.eye(len(curvature), dtype=torch.float64)
    curvature /= mean
    diagonal += damping
    return curvature


def output_error(matrix: NDArray[np.float32], quantized: Quantized, hessian: NDArray[np.floating]) -> float:
    """tr((W - Q) H (W - Q)^T) / tr(W H W^T): the part of the outputs' energy that rounding takes."""
    difference = (matrix - quantized.dequantized()).astype(np.float64)
    whole = matrix.astype(np.float64)
    return float(np.sum(difference @ hessian * difference) / np.sum(whole @ hessian * whole))


def _round_columns(
    weights: torch.Tensor, curvature: torch.Tensor, steps: torch.Tensor, largest: int
) -> torch.Tensor:
    """GPTQ's integers, (in, out) as float32, of weights (in, out) with scales (blocks, out)."""
    inputs = len(weights)
    order = torch.argsort(torch.diagonal(curvature), descending=True, stable=True)
    factors = _inverse_factor(curvature[order][:, order]).float()
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


def _inverse_factor(curvature: torch.Tensor) -> torch.Tensor:
    """U, upper triangular, with the inverse of H = U^T U.

    H turned about, factored and turned back is R R^T with R upper triangular, and U is R's inverse.
    """
    turned = torch.linalg.cholesky(curvature.flip(0, 1)).flip(0, 1)
    identity = torch.eye(len(curvature), dtype=curvature.dtype)
    return torch.linalg.solve_triangular(turned, identity, upper=True)


def _best_scales(
    weights: torch.Tensor, integers: torch.Tensor, curvature: torch.Tensor, steps: torch.Tensor
) -> torch.Tensor:
    """The scale (1, out) of each row that is best for its integers: <w, H q> / <q, H q>."""
    along = curvature @ integers
    power = (integers * along).sum(0, keepdim=True)
    best = (weights * along).sum(0, keepdim=True) / power.clamp_min(1e-12)
    return torch.where((power > 0) & (best > 0), best, steps)


def _descend(
    weights: torch.Tensor,
    integers: torch.Tensor,
    curvature: torch.Tensor,
    steps: torch.Tensor,
    largest: int,
) -> torch.Tensor:
    """One round over the columns: each gets its best integer with all others as they are. The error never grows."""
    inputs = len(weights)
    scales = steps.repeat_interleave(inputs // len(steps), dim=0)
    gradient = curvature @ (weights - integers * scales)
    integers = integers.clone()
    changes = torch.zeros((COLUMNS, weights.shape[1]))
    for start in range(0, inputs, COLUMNS):
        stop = min(start + COLUMNS, inputs)
        for column in range(start, stop):
            step = scales[column]
            best = integers[column] + gradient[column] / (curvature[column, column] * step)
            best.round_().clamp_(-largest, largest)
            change = (best - integers[column]) * step
            integers[column] = best
            changes[column - start] = change
            gradient[start:stop].addr_(curvature[start:stop, column], change, alpha=-1)
        # Within the piece the gradient is up to date already.
        gradient[:start].addmm_(curvature[:start, start:stop], changes[: stop - start], alpha=-1)
        gradient[stop:].addmm_(curvature[stop:, start:stop], changes[: stop - start], alpha=-1)
    return integers
