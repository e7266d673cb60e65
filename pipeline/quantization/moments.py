"""Second moments of inputs, the sum of x x^T: symmetric, so only half of it is computed."""

import torch

ROWS = 1024
"""Rows of the matrix that are computed at a time, from the diagonal to the right."""


def add_squares(moments: torch.Tensor, inputs: torch.Tensor) -> None:
    """Add the sum of x x^T to the upper triangle of `moments`; `mirror` completes it.

    Args:
        moments: (in, in), float32.
        inputs: x, (tokens, in), float32.
    """
    for start in range(0, len(moments), ROWS):
        stop = start + ROWS
        moments[start:stop, start:].addmm_(inputs[:, start:stop].T, inputs[:, start:])


def mirror(moments: torch.Tensor) -> None:
    """Copy the upper triangle to the lower one."""
    for start in range(0, len(moments), ROWS):
        stop = start + ROWS
        moments[stop:, start:stop] = moments[start:stop, stop:].T
