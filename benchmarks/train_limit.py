"""What a training step has to compute, and how fast this machine multiplies matrices."""

import time
from collections.abc import Callable
from typing import Any

from train_peers import synchronize

from pipeline.tuning.matrix_products import product

SIDE = 2048
"""Of the square matrices that are multiplied."""

REPEATS = 5


def product_rate(dtype: str, multiply: Callable[[Any, Any], Any] = product) -> float:
    """Operations per second of a product of two matrices: the best of some."""
    import torch

    kind: Any = getattr(torch, dtype)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = (torch.randn(SIDE, SIDE, device=device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(REPEATS):
        synchronize()
        started = time.perf_counter()
        multiply(left, right)
        synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE**3 / best
