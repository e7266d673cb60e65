"""Confidence interval of a share of correct answers."""

import math

Z = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""


def wilson_interval(right: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share: all shares that a score test does not reject.

    Wilson 1927, Journal of the American Statistical Association 22:209-212. It stays within 0 and 1, and its
    width is never 0, even if all answers, or none, were correct.

    Args:
        right: number of correct answers; not whole if it is a proportion of an assumed `count`.
        count: number of questions.

    Raises:
        ValueError: no questions, or more correct answers than questions.
    """
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"{right} correct of {count}")
    share, spread = right / count, Z * Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    # Rounding errors must not move a bound past the share itself.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))
