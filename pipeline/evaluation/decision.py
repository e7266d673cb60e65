"""Decisions from samples: accepted with confidence, refused with confidence, or not enough questions yet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.interval import Z, wilson_interval
from pipeline.evaluation.paired import score_interval

Outcome = Literal["passed", "failed", "undecided"]

MOST_QUESTIONS = 1_000_000
"""No number of questions up to this decides: the estimate is too close to the limit."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval."""

    estimate: float
    low: float
    high: float

    def at_most(self, limit: float) -> Outcome:
        """Whether the quantity is at most `limit`: undecided while the limit lies inside the interval."""
        if self.high <= limit:
            return "passed"
        # Not a number is beyond every limit.
        return "undecided" if self.low <= limit else "failed"


Estimator = Callable[[int], Interval]
"""The interval that some number of questions would give, if they came out in the proportions seen so far."""


def questions_needed(estimate: Estimator, count: int, limit: float) -> int | None:
    """How many questions, more than `count`, would decide whether the quantity is at most `limit`.

    Args:
        estimate: of the quantity.
        count: questions asked so far.
        limit: of the quantity.

    Returns:
        None if even MOST_QUESTIONS would not.
    """
    if estimate(MOST_QUESTIONS).at_most(limit) == "undecided":
        return None
    low, high = count, MOST_QUESTIONS
    while high - low > 1:
        middle = (low + high) // 2
        if estimate(middle).at_most(limit) == "undecided":
            low = middle
        else:
            high = middle
    return high - count


def accuracy_loss(keras: Sequence[Answer], runtime: Sequence[Answer]) -> Estimator:
    """Exact match lost in the runtime, in percentage points; paired by question (`score_interval`)."""
    pairs = [(ours.correct, theirs.correct) for ours, theirs in zip(keras, runtime, strict=True)]
    lost = sum(ours and not theirs for ours, theirs in pairs)
    gained = sum(theirs and not ours for ours, theirs in pairs)

    def estimate(count: int) -> Interval:
        scale = count / len(pairs)
        low, high = score_interval(lost * scale, gained * scale, count)
        return Interval(100 * (lost - gained) / len(pairs), 100 * low, 100 * high)

    return estimate


def accuracy_shortfall(answers: Sequence[Answer]) -> Estimator:
    """Share of wrong answers, in percent (`wilson_interval`)."""
    wrong = sum(not answer.correct for answer in answers)

    def estimate(count: int) -> Interval:
        low, high = wilson_interval(wrong * count / len(answers), count)
        return Interval(100 * wrong / len(answers), 100 * low, 100 * high)

    return estimate


def perplexity_ratio(keras: Sequence[Answer], runtime: Sequence[Answer]) -> Estimator:
    """Perplexity of the expected answers in the runtime divided by that in Keras.

    Its logarithm is the log-probability lost per token, a ratio of two sums over the questions, with the
    variance of a ratio estimator (Cochran 1977, Sampling Techniques, third edition, section 6.4).
    """
    lost = [ours.logprob - theirs.logprob for ours, theirs in zip(keras, runtime, strict=True)]
    tokens = [answer.tokens for answer in keras]
    mean = sum(lost) / sum(tokens)
    squares = sum((loss - mean * size) ** 2 for loss, size in zip(lost, tokens, strict=True))
    deviation = math.inf
    if len(lost) > 1:
        deviation = math.sqrt(squares * len(lost) / (len(lost) - 1)) / sum(tokens)

    def estimate(count: int) -> Interval:
        half = Z * deviation * math.sqrt(len(lost) / count)
        high = math.exp(mean + half) if math.isfinite(half) else math.inf
        return Interval(math.exp(mean), math.exp(mean - half), high)

    return estimate
