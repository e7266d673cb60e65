"""Promise: a curve has a point for every epoch that was measured, and the same history gives the same
bytes."""

import re

import pytest

from pipeline.report.charts import COLORS, FIRST, SECOND, accuracy_curve, loss_curve
from pipeline.report.training import Epoch

HISTORY = [
    Epoch(0, None, None, 4.0, 0.0),
    Epoch(1, 1.0, 0.5, 0.8, 0.6),
    Epoch(2, 0.1, 0.8, 0.2, 0.9),
    Epoch(3, 0.05, 0.9, 0.25, 0.85),
]


def points(curve: str, color: str) -> list[tuple[float, float]]:
    """The points of the line of a color, in the picture's coordinates."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*clip-path[^>]*stroke: {re.escape(COLORS[color])}', curve)
    (path,) = [path for path in paths if path.count("L") != 1]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", path)]


def test_training_starts_at_epoch_1_and_validation_with_the_untrained_model() -> None:
    for draw in (loss_curve, accuracy_curve):
        curve = draw(HISTORY, 2)
        training, validation = points(curve, FIRST), points(curve, SECOND)
        assert (len(training), len(validation)) == (3, 4)
        assert [x for x, _ in training] == [x for x, _ in validation[1:]]


def test_exact_match_is_in_percent_of_the_axis() -> None:
    heights = [y for _, y in points(accuracy_curve(HISTORY, 2), SECOND)]
    assert (heights[0] - heights[1]) / (heights[0] - heights[2]) == pytest.approx(60 / 90, abs=1e-4)


def test_the_kept_epoch_is_marked() -> None:
    assert "kept epoch" in loss_curve(HISTORY, 2)
    assert "kept epoch" not in loss_curve(HISTORY, None)
    assert loss_curve(HISTORY, 2) != loss_curve(HISTORY, 3)


def test_a_loss_that_falls_far_has_a_logarithmic_axis_with_plain_numbers() -> None:
    far = re.findall(r">([\d.]+)</text>", loss_curve(HISTORY, 2))
    assert {"0.1", "1"} <= set(far)
    heights = [y for _, y in points(loss_curve(HISTORY, 2), SECOND)]
    assert heights[1] - heights[0] > 30  # 4.0 to 0.8 is visible, and so is 0.8 to 0.2
    assert heights[2] - heights[1] > 30
    near = [Epoch(1, 1.0, None, 0.9, None), Epoch(2, 0.8, None, 0.7, None)]
    assert "0.2" in re.findall(r">([\d.]+)</text>", loss_curve(near, 2))  # from 0


def test_nothing_measured_is_no_curve() -> None:
    assert loss_curve([], None) == ""
    assert accuracy_curve([Epoch(1, 1.0, None, None, None)], 1) == ""


def test_long_trainings_are_drawn_without_markers() -> None:
    long = [Epoch(number, 1 / number, None, None, None) for number in range(1, 60)]
    assert loss_curve(long, 59).count("<use") < loss_curve(long[:10], 10).count("<use") + 10


def test_the_same_history_gives_the_same_bytes() -> None:
    assert loss_curve(HISTORY, 2) == loss_curve(HISTORY, 2)
