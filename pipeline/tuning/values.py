"""Whether the numbers of an adapter can be those of a training."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.tuning.runtime_factors import Factors

LARGEST = float(np.finfo(np.float32).max)

NO_TRAINING = (
    "the numbers or the alpha of the adapter are too large; correct alpha, or train again with a lower "
    "learning rate"
)


def check_finite(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that no value is infinite or NaN.

    Args:
        path: the file, for messages.
        tensors: by name.

    Raises:
        InputError: one is; names the tensor.
    """
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"{path}: {name} contains NaN or infinite values: the training diverged; train again with a "
                "lower learning rate"
            )


def refuse_untrained(pairs: Iterable[Factors]) -> None:
    """Refuse an adapter that changes nothing. B begins as zeros (Hu et al. 2021, section 4.1) and stays so in
    an adapter that was saved before training, or without its tensors.

    Raises:
        InputError: A or B is zero in every pair.
    """
    zeros = [(not a.any(), not b.any()) for a, b in pairs]
    if all(map(any, zeros)):
        of_a, of_b = (all(part) for part in zip(*zeros, strict=True))
        which = "B is zero in every matrix, as before training"
        if not of_b:
            which = f"{'A' if of_a else 'A or B'} is zero in every matrix"
        raise InputError(f"the adapter changes nothing: {which}; train it and save it again")


def check_merged(place: str, merged: NDArray[Any]) -> None:
    """Check the sum of a matrix and what an adapter adds to it.

    Args:
        place: the matrix, behind the file of the adapter where that is known, for messages.
        merged: the sum, or some rows of it, or what is stored of it.

    Raises:
        InputError: a value is infinite or NaN, although those of the adapter are not.
    """
    if not np.isfinite(merged).all():
        raise InputError(f"{place}: infinite or NaN after adding the adapter: {NO_TRAINING}")


def check_product(place: str, a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    """Check that the product of an adapter's factors can be computed in float32.

    Args:
        place: as for `check_merged`.
        a: (in, rank).
        b: (rank, out), the scale multiplied in; may have overflowed.

    Raises:
        InputError: it cannot.
    """
    bound = a.shape[1] * float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0))
    if bound <= LARGEST:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        check_merged(place, np.matmul(a, b, dtype=np.float64).astype(np.float32))


def scaled(b: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """B with the scale multiplied in; infinite where that is beyond float32, as `check_product` finds."""
    with np.errstate(over="ignore", invalid="ignore"):
        return b * np.float32(scale)
