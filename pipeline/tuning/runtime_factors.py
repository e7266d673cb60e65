"""The form of the runtime's own adapters: one pair A (in, rank), B (rank, out) for each attention matrix, and
nothing else."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import RUNTIME_TARGETS

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A (in, rank) and B (rank, out), float32: an output row gets x A B."""

RuntimeFactors = Mapping[tuple[str, int], Factors]
"""By target and layer."""

MERGE_INSTEAD = "merge the adapter instead: set convert.adapters: merged, or run `pocketgemma graft`"

DORA_RESCALES = (
    "DoRA rescales the rows of a matrix, but the runtime's adapters only add to them; " + MERGE_INSTEAD
)


def refuse_other_matrices(targets: Iterable[str]) -> None:
    """Refuse an adapter of matrices that the runtime takes no adapter for.

    Raises:
        InputError: there is such a matrix.
    """
    others = list(dict.fromkeys(target for target in targets if target not in RUNTIME_TARGETS))
    if others:
        raise InputError(
            f"the adapter changes {', '.join(others)}, but the runtime accepts adapters only for "
            f"{', '.join(RUNTIME_TARGETS)}; " + MERGE_INSTEAD
        )


def rank_of(factors: RuntimeFactors) -> int:
    """The largest rank among them; 0 when there are none."""
    return max((a.shape[1] for a, _ in factors.values()), default=0)
