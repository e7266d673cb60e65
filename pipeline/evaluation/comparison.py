"""Compare two sides of the same model, Keras and the phone's runtime, and check the differences against
limits."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.evaluation.answers import Answer, Scores, score
from pipeline.families.registry import DEFAULT_CHAT


@dataclass(frozen=True)
class Limits:
    """How much the runtime may differ from Keras.

    Attributes:
        max_accuracy_loss: exact match lost, in percentage points.
        min_same_answers: share of greedy answers that must be identical.
        max_unstopped: share of replies that may run to the token limit although Keras's stop.
        max_logprob_difference: mean |difference| of the expected answers' log-probability per token, in nats.
        max_perplexity_ratio: the runtime's perplexity of the expected answers / Keras's.
        min_accuracy: exact match that the runtime must reach, in percent; None: no minimum.
    """

    max_accuracy_loss: float
    min_same_answers: float
    max_unstopped: float
    max_logprob_difference: float
    max_perplexity_ratio: float
    min_accuracy: float | None = None


@dataclass(frozen=True)
class Check:
    """One check: what was found, what the limit is, and whether it passed."""

    name: str
    found: str
    limit: str
    passed: bool


@dataclass(frozen=True)
class TokenIds:
    """The token IDs of one conversation, by the training code and by the runtime."""

    conversation: str
    training: list[int]
    runtime: list[int]

    @property
    def same(self) -> bool:
        return self.training == self.runtime


@dataclass(frozen=True)
class Comparison:
    """All checks, and the data behind them.

    Attributes:
        checks: in reading order.
        keras, runtime: scores of each side.
        pairs: the two answers to each question, Keras's first.
        token_ids: of each conversation that was compared.
    """

    checks: tuple[Check, ...]
    keras: Scores
    runtime: Scores
    pairs: tuple[tuple[Answer, Answer], ...]
    token_ids: tuple[TokenIds, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    def worst(self, count: int = 10) -> list[tuple[Answer, Answer]]:
        """The answers that differ most: different texts first, then by log-probability per token."""
        differing = [
            pair for pair in self.pairs if pair[0].text != pair[1].text or logprob_difference(*pair) > 0.0
        ]
        return sorted(differing, key=lambda pair: (pair[0].text == pair[1].text, -logprob_difference(*pair)))[
            :count
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "keras": asdict(self.keras),
            "runtime": asdict(self.runtime),
            "token_ids": [asdict(ids) | {"same": ids.same} for ids in self.token_ids],
        }


def logprob_difference(keras: Answer, runtime: Answer) -> float:
    """|difference| of the expected answer's log-probability, per token, in nats."""
    return abs(keras.logprob - runtime.logprob) / max(keras.tokens, runtime.tokens, 1)


def compare(
    keras: Sequence[Answer],
    runtime: Sequence[Answer],
    limits: Limits,
    *,
    control_tokens: Sequence[str] = DEFAULT_CHAT.control_tokens,
    token_ids: Sequence[TokenIds] = (),
    differences: Sequence[str] = (),
) -> Comparison:
    """Compare the runtime's answers with Keras's.

    Args:
        keras, runtime: answers to the same questions in the same order, at least one.
        limits: how much they may differ.
        control_tokens: no reply may contain one of these.
        token_ids: the same conversations tokenized by each side.
        differences: between the model file and training, each in a few words.

    Raises:
        ValueError: the two lists answer different questions.
    """
    if [(a.question, a.expected) for a in keras] != [(a.question, a.expected) for a in runtime]:
        raise ValueError("the two sides answered different questions")
    pairs = tuple(zip(keras, runtime, strict=True))
    ours, theirs = score(keras), score(runtime)

    def count_failing(holds: Callable[[Answer, Answer], bool]) -> int:
        return sum(not holds(*pair) for pair in pairs)

    loss = ours.exact_match - theirs.exact_match
    same = 1 - count_failing(lambda a, b: a.text == b.text) / len(pairs)
    tokens = sum(answer.tokens for answer in keras)
    distance = sum(abs(a.logprob - b.logprob) for a, b in pairs) / tokens
    ratio = theirs.perplexity / ours.perplexity
    run_on = count_failing(lambda a, b: b.stopped or not a.stopped)
    marked = count_failing(lambda a, b: not any(marker in b.text for marker in control_tokens))
    other_counts = count_failing(lambda a, b: a.tokens == b.tokens)
    other_ids = sum(not ids.same for ids in token_ids)
    checks = [
        Check("model file matches training", "; ".join(differences) or "yes", "yes", not differences),
        Check(
            "conversations with different token IDs",
            f"{other_ids} of {len(token_ids)}",
            "0",
            other_ids == 0,
        ),
        Check(
            "expected answers with a different token count",
            f"{other_counts} of {len(pairs)}",
            "0",
            other_counts == 0,
        ),
        Check("replies that contain a marker", f"{marked} of {len(pairs)}", "0", marked == 0),
        Check(
            "replies that stop in Keras but not in the runtime",
            f"{run_on} of {len(pairs)}",
            f"at most {limits.max_unstopped:.1%}",
            run_on <= limits.max_unstopped * len(pairs),
        ),
        Check(
            "mean log-probability difference per token",
            f"{distance:.4f}",
            f"at most {limits.max_logprob_difference}",
            distance <= limits.max_logprob_difference,
        ),
        Check(
            "perplexity, runtime / Keras",
            f"{theirs.perplexity:.4f} / {ours.perplexity:.4f} = {ratio:.4f}",
            f"at most {limits.max_perplexity_ratio}",
            ratio <= limits.max_perplexity_ratio,
        ),
        Check(
            "identical greedy answers",
            f"{same:.1%}",
            f"at least {limits.min_same_answers:.1%}",
            same >= limits.min_same_answers,
        ),
        Check(
            "exact match, Keras -> runtime",
            f"{ours.exact_match:.1f} % -> {theirs.exact_match:.1f} %",
            f"at most {limits.max_accuracy_loss} points lost",
            loss <= limits.max_accuracy_loss,
        ),
    ]
    if limits.min_accuracy is not None:
        checks.append(
            Check(
                "exact match in the runtime",
                f"{theirs.exact_match:.1f} %",
                f"at least {limits.min_accuracy} %",
                theirs.exact_match >= limits.min_accuracy,
            )
        )
    return Comparison(tuple(checks), ours, theirs, pairs, tuple(token_ids))
