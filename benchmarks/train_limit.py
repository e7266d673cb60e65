"""What a training step has to compute, and how fast this machine multiplies matrices."""

import time
from collections.abc import Callable
from typing import Any

from train_peers import synchronize

from pipeline.families.family import GemmaShape
from pipeline.families.names import matrix_shapes
from pipeline.tuning.matrix_products import product

SIDE = 2048
"""Of the square matrices that are multiplied."""

REPEATS = 5


def operations(shape: GemmaShape, rank: int, tokens: int, responses: int) -> float:
    """Floating-point operations of a step of LoRA on all matrices of the layers that no implementation can
    leave out: two for each weight and token forward, two for the gradient of the inputs; six for each weight
    of A and B; and the same as a frozen matrix for the projection of the response tokens. Attention scores,
    norms and activations are left out.

    Args:
        shape: of the model.
        rank: of A and B.
        tokens: of the examples, without padding.
        responses: tokens with loss.
    """
    layers = {name: size for name, size in matrix_shapes(shape).items() if ".layers." in name}
    frozen = sum(rows * columns for rows, columns in layers.values())
    trained = sum(rank * (rows + columns) for rows, columns in layers.values())
    projection = shape.vocabulary * shape.hidden
    return float(tokens * (4 * frozen + 6 * trained) + responses * 4 * projection)


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
