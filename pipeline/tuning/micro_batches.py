"""How many examples of a training step are computed at once, where the recipe does not say so."""

import numpy as np
import numpy.typing as npt

TOKENS = 1024
"""Tokens of a micro-batch on a CPU, on average. With fewer, matrix products are slower; with more, memory
grows and a step is no faster (docs/measurements.md#training-steps)."""

SMALL_SHARE = 0.1
"""Of the parameters. Gradients of more than these are too large to be kept in addition."""


def micro_batch_size(
    lengths: npt.NDArray[np.int64], batch_size: int, *, trained_share: float, accelerator: bool
) -> int:
    """How many examples to compute at once.

    Args:
        lengths: of the examples in tokens, (examples,); at least one.
        batch_size: examples of a step.
        trained_share: trainable parameters as a share of all.
        accelerator: whether training runs on a GPU or a TPU, which is faster with larger batches.

    Returns:
        At most the number of examples in a batch, which is not divided if it has fewer than 2 * TOKENS
        tokens. Where several numbers of at least half of TOKENS are possible, one that fills the
        micro-batches of a step best.
    """
    rows, length = min(batch_size, len(lengths)), float(np.mean(lengths))
    if accelerator or trained_share > SMALL_SHARE or rows * length < 2 * TOKENS:
        return rows
    most = max(1, round(TOKENS / length))
    return min(range(-(-most // 2), most + 1), key=lambda size: (-(-rows // size) * size, -size))
