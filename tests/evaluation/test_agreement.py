"""Promise: the runtime's distance from Keras is a ratio with an interval, in units of float32's rounding."""

import math

import numpy as np
import pytest

from pipeline.evaluation.agreement import agreement

EPS = float(np.finfo(np.float32).eps)


def test_differences_are_per_token_and_their_ratio_is_to_the_disturbed() -> None:
    found = agreement([-1.0, -2.0], [-1.2, -1.6], [-1.3, -1.4], [2, 4])
    assert found.difference == pytest.approx(0.6 / 6)
    assert found.rounding == pytest.approx(0.3 / 6)
    assert found.ratio == pytest.approx(2.0)
    assert found.questions == 2


def test_the_yardstick_is_at_least_the_last_place_of_the_log_probabilities() -> None:
    found = agreement([-8.0, -8.0], [-8.0, -8.0], [-8.0, -8.0], [1, 1])
    assert found.difference == 0 and found.rounding == 8 * EPS
    assert found.interval.high == 0


def test_the_interval_covers_the_true_ratio_in_about_95_of_100_samples() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        stored = -random.exponential(3, 200)
        runtime = stored + 0.03 * random.standard_t(4, 200)
        disturbed = stored + 0.02 * random.standard_t(4, 200)
        interval = agreement(runtime.tolist(), stored.tolist(), disturbed.tolist(), [5] * 200).interval
        covered += interval.low <= 1.5 <= interval.high
    assert 0.92 < covered / 400 < 0.98


def test_one_question_gives_no_interval() -> None:
    found = agreement([-1.0], [-1.1], [-1.2], [3])
    assert math.isinf(found.log_deviation)
    assert (found.interval.low, found.interval.high) == (0, math.inf)
    assert found.interval.low < 1e-100 and found.interval.high > 1e100


def test_a_value_that_crosses_a_boundary_in_a_question_or_two_proves_nothing() -> None:
    """As measured on a right model: one answer of twelve changed a thousand times as much as the others."""
    stored = [-50.0] * 12
    disturbed = [value + 1e-5 for value in stored]
    runtime = [stored[0] + 2e-2, stored[1] + 2e-2, *(value + 1.2e-5 for value in stored[2:])]
    found = agreement(runtime, stored, disturbed, [5] * 12)
    assert found.ratio > 100 and found.interval.low > 2
    assert found.surely < 2
    three = agreement([*runtime[:2], stored[2] + 2e-2, *runtime[3:]], stored, disturbed, [5] * 12)
    assert three.surely > 2


def test_what_changes_every_answer_is_sure() -> None:
    random = np.random.default_rng(1)
    stored = -random.exponential(30, 24)
    runtime, disturbed = stored + 1e-2 * random.standard_t(4, 24), stored + 1e-4 * random.standard_t(4, 24)
    found = agreement(runtime.tolist(), stored.tolist(), disturbed.tolist(), [5] * 24)
    assert 2 < found.surely <= found.interval.low


def test_too_few_questions_to_leave_any_out() -> None:
    found = agreement([-1.0] * 3, [-1.1] * 3, [-1.1 - 1e-4] * 3, [3] * 3)
    assert found.others is None and found.surely == found.interval.low


@pytest.mark.parametrize("place", range(4))
def test_an_answer_that_is_no_number_is_no_outlier_to_leave_out(place: int) -> None:
    runtime = [-1.0, -2.0, -3.0, -4.0]
    runtime[place] = math.nan
    found = agreement(runtime, [-1.0, -2.0, -3.0, -4.0], [-1.1, -2.1, -3.1, -4.1], [1] * 4)
    assert not found.surely <= 1e30
