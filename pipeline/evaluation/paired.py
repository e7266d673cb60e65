"""How much better or worse one model answers than another on the same questions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.interval import Z


@dataclass(frozen=True)
class PairedDifference:
    """Exact match of one model minus that of another.

    Attributes:
        gained: questions that only the first answers correctly.
        lost: questions that only the second answers correctly.
        count: all questions.
        difference: in percentage points.
        low, high: 95 % confidence interval of the difference, in percentage points.
    """

    gained: int
    lost: int
    count: int
    difference: float
    low: float
    high: float


def paired_difference(answers: Sequence[Answer], reference: Sequence[Answer]) -> PairedDifference:
    """Exact match of `answers` minus that of `reference`, question by question.

    Raises:
        ValueError: the two answered different questions, or none.
    """
    if [(answer.question, answer.expected) for answer in answers] != [
        (answer.question, answer.expected) for answer in reference
    ]:
        raise ValueError("the two sides did not answer the same questions in the same order")
    pairs = [(ours.correct, theirs.correct) for ours, theirs in zip(answers, reference, strict=True)]
    gained = sum(ours and not theirs for ours, theirs in pairs)
    lost = sum(theirs and not ours for ours, theirs in pairs)
    low, high = score_interval(gained, lost, len(pairs))
    return PairedDifference(
        gained, lost, len(pairs), 100 * (gained - lost) / len(pairs), 100 * low, 100 * high
    )


def score_interval(gained: float, lost: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of (gained - lost) / count.

    The score interval for matched pairs (Tango 1998, Statistics in Medicine 17:891-908, equations 12 to 15):
    all differences that a score test does not reject. It keeps its coverage for few discordant pairs, and for
    none, where simpler intervals have width 0.

    Args:
        gained: number of pairs that count +1; not whole if it is a proportion of an assumed `count`.
        lost: number of pairs that count -1; likewise.
        count: number of all pairs; the others count 0.

    Raises:
        ValueError: no pairs, or more discordant pairs than pairs.
    """
    if count < 1 or gained < 0 or lost < 0 or gained + lost > count:
        raise ValueError(f"{gained} and {lost} of {count} pairs")
    estimate = (gained - lost) / count

    def score(difference: float) -> float:
        """Standard deviations between the observed and a hypothetical difference."""
        # The maximum-likelihood share of -1 pairs under that difference is the root of a quadratic equation.
        a = 2 * count
        b = -gained - lost + (2 * count - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        lost_share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = count * (2 * lost_share + difference * (1 - difference))
        distance = gained - lost - count * difference
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)

    def bound(inside: float, outside: float) -> float:
        while abs(outside - inside) > 1e-9:
            middle = (inside + outside) / 2
            if abs(score(middle)) <= Z:
                inside = middle
            else:
                outside = middle
        return inside

    return bound(estimate, -1.0), bound(estimate, 1.0)
