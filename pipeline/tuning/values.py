"""Whether the numbers of an adapter can be those of a training."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.tuning.runtime_factors import Factors


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
    changing = [bool(a.any() and b.any()) for a, b in pairs]
    if not any(changing):
        raise InputError(
            "the adapter changes nothing: B is zero in every matrix, as before training; train it and "
            "save it again"
        )
