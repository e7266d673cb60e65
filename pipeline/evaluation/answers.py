"""A model's answer to a question, and scores of answers."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One greedy answer, and the probability that the model gives the expected one.

    Attributes:
        question: the last user turn.
        expected: the correct answer.
        text: the model's reply without markers and without whitespace at both ends.
        stopped: whether the reply ended at a stop token; otherwise it was truncated at the limit.
        logprob: log-probability of the expected answer and its <end_of_turn>, summed over tokens, in nats.
        tokens: how many tokens logprob sums over.
        tags: the example's tags.
    """

    question: str
    expected: str
    text: str
    stopped: bool
    logprob: float
    tokens: int
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def correct(self) -> bool:
        return self.text == self.expected

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"correct": self.correct}


@dataclass(frozen=True)
class Scores:
    """Exact match in percent, perplexity per token of the expected answers, number of questions, and exact
    match by tag and value."""

    exact_match: float
    perplexity: float
    count: int
    by_tag: dict[str, dict[str, float]] = field(default_factory=dict)


def score(answers: Sequence[Answer]) -> Scores:
    """Exact match (equal text) over all answers and for each value of a tag; perplexity exp(-sum logprob /
    sum tokens).

    Raises:
        ValueError: no answers.
    """
    if not answers:
        raise ValueError("no answers to score")
    groups: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        for tag, value in answer.tags.items():
            groups[tag][value].append(answer.correct)
    tokens = sum(answer.tokens for answer in answers)
    return Scores(
        exact_match=100 * sum(answer.correct for answer in answers) / len(answers),
        perplexity=math.exp(-sum(answer.logprob for answer in answers) / tokens),
        count=len(answers),
        by_tag={
            tag: {value: 100 * sum(right) / len(right) for value, right in sorted(values.items())}
            for tag, values in sorted(groups.items())
        },
    )
