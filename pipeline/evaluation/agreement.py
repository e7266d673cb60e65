"""How closely the runtime computes what the file stores, measured against what float32 can tell apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.decision import Interval
from pipeline.evaluation.interval import Z


@dataclass(frozen=True)
class Agreement:
    """Mean differences of the log-probabilities of the expected answers, per token, in nats.

    Attributes:
        difference: between the runtime and Keras with the numbers that the file stores.
        rounding: between that Keras model and itself, with the input of every product changed in the last
            place of float32. With activations in 8 bits this is not tiny: a value that falls on the other
            side of a rounding boundary changes by a whole step, and so do values in all later layers.
        questions: how many answers were compared.
        log_deviation: standard deviation of log(difference / rounding) over samples of that many questions.
        others: the same without the OUTLIERS questions that differ most; None if no more than one is left.
    """

    difference: float
    rounding: float
    questions: int
    log_deviation: float
    others: "Agreement | None" = None

    @property
    def ratio(self) -> float:
        """`difference` as a multiple of `rounding`."""
        return self.difference / self.rounding

    @property
    def interval(self) -> Interval:
        """The ratio with its 95 % interval."""
        exponent = Z * self.log_deviation
        factor = math.exp(exponent) if exponent < LARGEST_EXPONENT else math.inf
        return Interval(self.ratio, self.ratio / factor, self.ratio * factor)

    @property
    def surely(self) -> float:
        """The ratio is at least this, with confidence, and not because of a few questions.

        A value that happens to cross a rounding boundary changes one answer a thousand times as much as the
        disturbance of float32 changes most of them. Among few questions the disturbed model may meet no such
        value at all, and an interval from its answers cannot know.
        """
        low = self.interval.low
        return low if self.others is None else min(low, self.others.interval.low)


LARGEST_EXPONENT = 700.0
"""Beyond it, exp leaves the range of a float. Among so few questions the interval is all numbers."""

OUTLIERS = 2
"""How many questions alone do not show that the runtime computes something else."""


def agreement(
    runtime: Sequence[float], stored: Sequence[float], disturbed: Sequence[float], tokens: Sequence[int]
) -> Agreement:
    """Compare log-probabilities, one for each question.

    The deviation is that of the logarithm of a ratio of two sums over the questions, by the delta method.

    Args:
        runtime: from the runtime.
        stored: from Keras with the stored numbers.
        disturbed: from the same model with its inputs disturbed.
        tokens: of each expected answer.
    """
    arrays = [np.asarray(values, np.float64) for values in (runtime, stored, disturbed, tokens)]
    whole, found = _agreement(*arrays)
    if len(found) < OUTLIERS + 2:
        return whole
    rest = np.argsort(found)[:-OUTLIERS]
    return replace(whole, others=_agreement(*(values[rest] for values in arrays))[0])


def _agreement(
    runtime: NDArray[np.float64],
    stored: NDArray[np.float64],
    disturbed: NDArray[np.float64],
    tokens: NDArray[np.float64],
) -> tuple[Agreement, NDArray[np.float64]]:
    """The comparison of all questions, and the difference in each."""
    found = np.abs(runtime - stored)
    # A log-probability is itself a float32: no yardstick below the last place of one.
    last_place = float(np.finfo(np.float32).eps) * np.abs(stored)
    yardstick = np.maximum(np.abs(disturbed - stored), last_place)
    count = len(found)
    deviation = 0.0 if not found.any() else math.inf
    if count > 1 and found.any():
        shares = found / found.sum() - yardstick / yardstick.sum()
        deviation = math.sqrt(float(np.square(shares).sum()) * count / (count - 1))
    total = float(tokens.sum())
    return Agreement(float(found.sum()) / total, float(yardstick.sum()) / total, count, deviation), found
