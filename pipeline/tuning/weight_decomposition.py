"""What DoRA adds to the rows of a matrix (Liu et al. 2024, arXiv:2402.09353, section 4.1, equation 5).

W = m * V / ||V|| with V = W0 + s B A, (out, in). Each row has a magnitude m and a norm ||V|| of its own, as
in Hugging Face's PEFT. The addition W - W0 thus depends on W0.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.tuning.deltas import Rows


def decomposed_rows(added: Rows, magnitude: NDArray[np.float32]) -> Rows:
    """The rows that DoRA adds to a matrix.

    Computed in float64 and rounded once. Each row is summed by itself, so the result does not depend on how
    many rows are asked for at a time.

    Args:
        added: the rows of s B A.
        magnitude: of each row of the matrix, (out,).
    """

    def rows(start: int, base: NDArray[np.float32]) -> NDArray[np.float32]:
        directed = np.add(base, added(start, base), dtype=np.float64, order="C")
        norms = np.sqrt(np.sum(np.square(directed), axis=1))
        # A row of zeros has no direction, and stays so.
        lengths = np.where(norms > 0, norms, 1)
        directed *= (magnitude[start : start + len(base)] / lengths)[:, None]
        difference: NDArray[np.float32] = (directed - base).astype(np.float32)
        return difference

    return rows
