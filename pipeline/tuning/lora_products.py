"""The product s A B of a matrix's LoRA factors, in the shape of its Keras kernel, and row by row."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import MatrixKind
from pipeline.tuning.deltas import Rows
from pipeline.tuning.runtime_factors import Factors


def weight_delta(a: NDArray[np.float32], b: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """scale * A B in the shape of the kernel, float32.

    It is summed in float64 and rounded once: in float32 the last bit would depend on how many threads a BLAS
    has, and a merge on one machine would differ from that on another.

    Args:
        a: (…, rank).
        b: (rank, last axis of the kernel).
        scale: of the product.
    """
    product: NDArray[np.float64] = np.matmul(a, b, dtype=np.float64)
    return (product * scale).astype(np.float32)


def kernel_shape(pair: Factors) -> tuple[int, ...]:
    """The shape of the kernel that A and B belong to."""
    return (*pair[0].shape[:-1], pair[1].shape[1])


def delta_rows(kind: MatrixKind, pair: Factors, scale: float) -> Callable[[], Rows]:
    """The same product row by row: bit for bit the rows of `weight_delta` as a matrix.

    Args:
        kind: of the matrix.
        pair: A and B.
        scale: of the product.
    """

    def prepare() -> Rows:
        a, b = pair
        if kind.layout == "heads_out":
            whole = kind.as_matrix(weight_delta(a, b, scale))
            return lambda start, base: whole[start : start + len(base)]
        # A whole product in float64 would take more time for fresh memory than for arithmetic. A row of the
        # matrix is a column of B.
        inputs = a.reshape(-1, a.shape[-1]).T.astype(np.float64)
        outputs = b.T.astype(np.float64)
        return lambda start, base: (outputs[start : start + len(base)] @ inputs * scale).astype(np.float32)

    return prepare


def one_pair(kind: MatrixKind, a: NDArray[np.float32], b: NDArray[np.float32]) -> Factors:
    """A (in, rank) and B (rank, out) of a matrix, exactly.

    Heads with an A each, A1 … Ah, and one B together are A = [A1 | … | Ah] and B = blockdiag(B, …, B) of rank
    heads * r.
    """
    if kind.layout != "heads_out":
        return np.ascontiguousarray(a.reshape(-1, a.shape[-1])), b
    heads, _, rank = a.shape
    blocks = np.zeros((heads * rank, heads * b.shape[1]), np.float32)
    for head in range(heads):
        blocks[head * rank : (head + 1) * rank, head * b.shape[1] : (head + 1) * b.shape[1]] = b
    return np.ascontiguousarray(np.concatenate(a, axis=1)), blocks
