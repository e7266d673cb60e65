"""An adapter as one pair A (in, rank), B (rank, out) for each attention matrix, as runtimes that know plain LoRA take it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.tuning.adapter import Adapter

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A (in, rank) and B (rank, out), float32, so that an output row gets x A B."""

ATTENTION = ("query", "key", "value", "output")
"""The matrices that LiteRT-LM's run-time adapters know."""

MERGE_INSTEAD = "merge it into the model instead: `pocketgemma graft`, or convert.adapters: merged"


def attention_factors(adapter: Adapter) -> dict[tuple[str, int], Factors]:
    """The A and B of each adapted matrix by (target, layer), the scale folded into B.

    Keras gives the heads of a query, key or value kernel (heads, hidden, head_dim) an A each, (heads, hidden, r), and one B together,
    (r, head_dim). As one pair that is A = [A1 | … | Ah] and B = blockdiag(B, …, B) of rank heads * r, exactly. The output kernel
    (heads, head_dim, hidden) has A (heads, head_dim, r), which is (heads * head_dim, r) in one, and B (r, hidden).

    Raises:
        InputError: the adapter touches more than attention, or has scales of its own, which live in the rounded base.
    """
    others = [target for target in adapter.targets if target not in ATTENTION]
    if others:
        raise InputError(
            f"the adapter touches {', '.join(others)}, the runtime's adapters know only {', '.join(ATTENTION)}; {MERGE_INSTEAD}"
        )
    if getattr(adapter, "scales", None):
        raise InputError(
            "the adapter was trained with scales for the rounded matrices, and those are the base's at run time; "
            + MERGE_INSTEAD
        )
    found = {}
    for name, (a, b) in adapter.tensors.items():
        block, _, target = name.rpartition(".")
        layer = int(block.rpartition("_")[2])
        found[target, layer] = _pair(target, a, b * np.float32(adapter.scale))
    return found


def _pair(target: str, a: NDArray[np.float32], b: NDArray[np.float32]) -> Factors:
    heads, _, rank = a.shape
    if target == "output":
        return np.ascontiguousarray(a.reshape(-1, rank)), b
    blocks = np.zeros((heads * rank, heads * b.shape[1]), np.float32)
    for head in range(heads):
        blocks[head * rank : (head + 1) * rank, head * b.shape[1] : (head + 1) * b.shape[1]] = b
    return np.ascontiguousarray(np.concatenate(a, axis=1)), blocks


def rank_of(factors: Mapping[tuple[str, int], Factors]) -> int:
    """The largest rank among them; 0 when there are none."""
    return max((a.shape[1] for a, _ in factors.values()), default=0)
