"""How sure a share of right answers is."""

import math

Z = 1.959963984540054
"""Quantile of the normal distribution that a two-sided 95 % interval has."""


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share: all shares that a score test does not reject.

    Wilson 1927, Journal of the American Statistical Association 22:209-212. It stays within 0 and 1 and has a width also where all
    answers, or none, were right.

    Args:
        right: how many were right.
        count: of how many.

    Raises:
        ValueError: none was asked, or more were right than asked.
    """
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"{right} right of {count}")
    share, spread = right / count, Z * Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    # Rounding must not put an end on the wrong side of the share itself.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))
