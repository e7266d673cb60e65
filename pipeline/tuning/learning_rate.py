"""The learning rate of low-rank factors when a recipe sets none: docs/decisions/learning-rate.md."""

REFERENCE_RATE, REFERENCE_ALPHA = 2e-4, 32.0
"""A learning rate, and the alpha with which it is right for any rank with classic scaling ("LoRA Without
Regret", Schulman et al. 2025, in Keras's initialization of A)."""


def low_rank_rate(rank: int, scale: float) -> float:
    """The learning rate whose first steps change a matrix as much as the reference does.

    The first steps of Adam move B by the learning rate in each entry, and each column of A B adds to the
    output alike: the change is proportional to learning rate * scale * rank.

    Args:
        rank: of A and B.
        scale: of their product.
    """
    return REFERENCE_RATE * REFERENCE_ALPHA / (abs(scale) * rank)
