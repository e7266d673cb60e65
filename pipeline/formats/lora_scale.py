"""The scale of a LoRA product A B, from its alpha, its rank and the scaling that it was trained with."""

import math
from collections.abc import Callable, Mapping

CLASSIC, RANK_STABILIZED = "classic", "rank_stabilized"

DIVISORS: Mapping[str, Callable[[float], float]] = {CLASSIC: float, RANK_STABILIZED: math.sqrt}
"""What alpha is divided by, as a function of the rank: the rank (Hu et al. 2021, arXiv:2106.09685, section
4.1), or its square root (rank-stabilized LoRA: Kalajdzievski 2023, arXiv:2312.03732, section 3)."""


def lora_scale(alpha: float, rank: float, scaling: str) -> float:
    """What A B is multiplied by.

    Args:
        alpha: of the training.
        rank: of A and B.
        scaling: a name in DIVISORS.
    """
    return alpha / DIVISORS[scaling](rank)


def alpha_at_rank(alpha: float, rank: int, scaling: str, other: int) -> float:
    """The alpha with which the same product, written with another rank, has the same scale.

    Args:
        alpha, rank, scaling: as for `lora_scale`.
        other: the rank that it is written with.
    """
    divisor = DIVISORS[scaling]
    return alpha * divisor(other) / divisor(rank)
