"""Promise: the interval of a share is Wilson's, also at its ends."""

import math

import pytest

from pipeline.evaluation.interval import Z, wilson_interval


@pytest.mark.parametrize(("right", "count"), [(0, 10), (3, 4), (50, 100), (387, 400), (400, 400)])
def test_its_bounds_are_the_last_shares_that_a_score_test_does_not_reject(right: int, count: int) -> None:
    low, high = wilson_interval(right, count)
    assert 0.0 <= low <= right / count <= high <= 1.0
    for end in (low, high):
        if 0.0 < end < 1.0:
            distance = abs(right / count - end) / math.sqrt(end * (1 - end) / count)
            assert distance == pytest.approx(Z, rel=1e-9)


def test_a_published_interval() -> None:
    # Brown, Cai and DasGupta 2001, Statistical Science 16:101-133, give the formula; 3 of 4 by hand.
    assert wilson_interval(3, 4) == pytest.approx((0.30064, 0.95442), abs=1e-5)
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 10)[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("right", "count"), [(0, 0), (5, 4), (-1, 4)])
def test_impossible_counts_are_refused(right: int, count: int) -> None:
    with pytest.raises(ValueError):
        wilson_interval(right, count)
