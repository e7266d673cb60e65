"""Promise: the interval is that of Tango's score test, and only answers to the same questions are
compared."""

import math

import numpy as np
import pytest

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.interval import Z
from pipeline.evaluation.paired import paired_difference, score_interval


def answers(right: list[bool]) -> list[Answer]:
    return [
        Answer(str(number), "yes", "yes" if correct else "no", True, -1.0, 2)
        for number, correct in enumerate(right)
    ]


def likeliest_lost_share(gained: int, lost: int, count: int, difference: float) -> float:
    """By trial: the maximum-likelihood share of -1 pairs for a given true difference."""
    shares = np.linspace(max(0.0, -difference), (1 - difference) / 2, 2_000_001)[1:-1]
    same = 1 - 2 * shares - difference
    chance = gained * np.log(shares + difference) + lost * np.log(shares)
    return float(shares[np.argmax(chance + (count - gained - lost) * np.log(same))])


@pytest.mark.parametrize(("gained", "lost", "count"), [(3, 11, 200), (20, 31, 2268), (1, 6, 44)])
def test_the_limits_are_where_the_score_test_begins_to_reject(gained: int, lost: int, count: int) -> None:
    low, high = score_interval(gained, lost, count)
    assert low < (gained - lost) / count < high
    for limit in (low, high):
        share = likeliest_lost_share(gained, lost, count, limit)
        variance = 2 * share + limit - limit**2
        assert abs(gained - lost - count * limit) / math.sqrt(count * variance) == pytest.approx(Z, rel=1e-4)


def test_without_a_discordant_pair_the_interval_is_not_empty() -> None:
    low, high = score_interval(0, 0, 2268)
    assert high == pytest.approx(Z**2 / (2268 + Z**2), rel=1e-5)
    assert low == pytest.approx(-high)


def test_with_many_pairs_it_is_that_of_the_normal_distribution() -> None:
    low, high = score_interval(40_000, 30_000, 1_000_000)
    width = Z * math.sqrt(0.07 - 0.01**2) / 1000
    assert (low, high) == pytest.approx((0.01 - width, 0.01 + width), abs=1e-5)


def test_nearly_all_intervals_contain_the_true_difference() -> None:
    random = np.random.default_rng(0)
    draws = random.multinomial(2268, [0.010, 0.018, 0.972], size=2000)
    inside = [low <= -0.008 <= high for low, high in (score_interval(g, lost, 2268) for g, lost, _ in draws)]
    assert 0.93 < np.mean(inside) < 0.97


def test_gains_and_losses_are_counted_question_by_question() -> None:
    found = paired_difference(answers([True, True, False, False]), answers([True, False, True, False]))
    assert (found.gained, found.lost, found.count, found.difference) == (1, 1, 4, 0.0)
    assert paired_difference(answers([True] * 4), answers([True] * 3 + [False])).difference == 25.0
    with pytest.raises(ValueError, match="same questions"):
        paired_difference(answers([True] * 3), answers([True] * 4))
