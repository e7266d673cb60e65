"""Compare two sides of the same model, Keras and the phone's runtime, and check the differences against
limits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.evaluation.agreement import OUTLIERS, Agreement
from pipeline.evaluation.answers import Answer, Scores, score
from pipeline.evaluation.decision import (
    Estimator,
    Interval,
    Outcome,
    accuracy_loss,
    accuracy_shortfall,
    perplexity_ratio,
    questions_needed,
)
from pipeline.families.registry import DEFAULT_CHAT

ACCURACY = "exact match in the runtime"
"""Name of the check of `min_accuracy`: the one that a right conversion of a poor model fails."""


@dataclass(frozen=True)
class Limits:
    """How much the runtime may differ from Keras.

    Attributes:
        max_accuracy_loss: exact match lost, in percentage points.
        max_unstopped: share of replies that may run to the token limit although Keras's stop.
        max_perplexity_ratio: the runtime's perplexity of the expected answers / Keras's.
        max_runtime_noise: difference between the runtime and Keras with the stored numbers, as a multiple of
            float32's rounding.
        min_accuracy: exact match that the runtime must reach, in percent; None: no minimum.
    """

    max_accuracy_loss: float
    max_unstopped: float
    max_perplexity_ratio: float
    max_runtime_noise: float
    min_accuracy: float | None = None


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what is checked.
        found: what was found.
        limit: what is allowed.
        outcome: undecided if the questions are too few to tell.
        needed: how many more questions would probably decide; None if it is decided, or none would.
    """

    name: str
    found: str
    limit: str
    outcome: Outcome
    needed: int | None = None


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
        agreement: of the runtime with Keras on the stored numbers; None if that could not be measured.
    """

    checks: tuple[Check, ...]
    keras: Scores
    runtime: Scores
    pairs: tuple[tuple[Answer, Answer], ...]
    token_ids: tuple[TokenIds, ...]
    agreement: Agreement | None = None

    @property
    def outcome(self) -> Outcome:
        """Failed if a check is, else undecided if a check is."""
        if self.failures:
            return "failed"
        return "undecided" if self.undecided else "passed"

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if check.outcome == "failed"]

    @property
    def undecided(self) -> list[Check]:
        return [check for check in self.checks if check.outcome == "undecided"]

    @property
    def needed(self) -> int | None:
        """How many more questions would probably decide all checks; None if no number would."""
        each = [check.needed for check in self.undecided]
        return None if None in each else max((needed for needed in each if needed is not None), default=0)

    @property
    def same_answers(self) -> float:
        """Share of greedy answers that are identical."""
        return sum(ours.text == theirs.text for ours, theirs in self.pairs) / len(self.pairs)

    @property
    def logprob_difference(self) -> float:
        """Mean |difference| of the expected answers' log-probability, per token, in nats."""
        tokens = sum(ours.tokens for ours, _ in self.pairs)
        return sum(abs(ours.logprob - theirs.logprob) for ours, theirs in self.pairs) / tokens

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
            "outcome": self.outcome,
            "checks": [asdict(check) for check in self.checks],
            "keras": asdict(self.keras),
            "runtime": asdict(self.runtime),
            "same_answers": self.same_answers,
            "logprob_difference": self.logprob_difference,
            "agreement": self.agreement and asdict(self.agreement) | {"ratio": self.agreement.ratio},
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
    agreement: Agreement | None = None,
) -> Comparison:
    """Compare the runtime's answers with Keras's.

    Some checks ask whether the file is right, and pass or fail. The others ask what quantization cost; they
    compare a confidence interval with a limit, and may be undecided.

    Args:
        keras, runtime: answers to the same questions in the same order, at least one.
        limits: how much they may differ.
        control_tokens: no reply may contain one of these.
        token_ids: the same conversations tokenized by each side.
        differences: between the model file and training, each in a few words.
        agreement: of the runtime with Keras on the stored numbers; None if that could not be measured.

    Raises:
        ValueError: the two lists answer different questions.
    """
    if [(a.question, a.expected) for a in keras] != [(a.question, a.expected) for a in runtime]:
        raise ValueError("the two sides answered different questions")
    pairs = tuple(zip(keras, runtime, strict=True))
    file_checks = _file_checks(pairs, limits, control_tokens, token_ids, differences, agreement)
    checks = (*file_checks, *_cost_checks(keras, runtime, limits))
    return Comparison(checks, score(keras), score(runtime), pairs, tuple(token_ids), agreement)


def _file_checks(
    pairs: Sequence[tuple[Answer, Answer]],
    limits: Limits,
    control_tokens: Sequence[str],
    token_ids: Sequence[TokenIds],
    differences: Sequence[str],
    agreement: Agreement | None,
) -> Iterator[Check]:
    """Whether the file and the runtime are right."""

    def count_failing(holds: Callable[[Answer, Answer], bool]) -> int:
        return sum(not holds(*pair) for pair in pairs)

    def check(name: str, found: str, limit: str, passed: bool) -> Check:
        return Check(name, found, limit, "passed" if passed else "failed")

    run_on = count_failing(lambda a, b: b.stopped or not a.stopped)
    marked = count_failing(lambda a, b: not any(marker in b.text for marker in control_tokens))
    other_counts = count_failing(lambda a, b: a.tokens == b.tokens)
    other_ids = sum(not ids.same for ids in token_ids)
    yield check("model file matches training", "; ".join(differences) or "yes", "yes", not differences)
    yield _agreement_check(agreement, limits.max_runtime_noise)
    yield check(
        "conversations with different token IDs", f"{other_ids} of {len(token_ids)}", "0", other_ids == 0
    )
    yield check(
        "expected answers with a different token count",
        f"{other_counts} of {len(pairs)}",
        "0",
        other_counts == 0,
    )
    yield check("replies that contain a marker", f"{marked} of {len(pairs)}", "0", marked == 0)
    yield check(
        "replies that stop in Keras but not in the runtime",
        f"{run_on} of {len(pairs)}",
        f"at most {100 * limits.max_unstopped:.1f} %",
        run_on <= limits.max_unstopped * len(pairs),
    )


def _agreement_check(agreement: Agreement | None, limit: float) -> Check:
    """Refused only if the difference is beyond its limit with confidence, and not in a few questions alone: a
    few sensitive ones outweigh the others, so the interval stays wide for a sure model, however many there
    are."""
    name, allowed = "runtime compared with Keras on the stored numbers", f"at most {limit:g} x rounding"
    if agreement is None:
        return Check(name, "not measured", allowed, "failed")
    interval = agreement.interval
    found = (
        f"{agreement.ratio:.1f} x rounding (95 % interval {interval.low:.1f} to {interval.high:.1f}), "
        f"{agreement.difference:.1e} nats per token"
    )
    passed = agreement.surely <= limit
    if passed and agreement.others is not None and interval.low > limit:
        found += f"; {agreement.others.ratio:.1f} x without the {OUTLIERS} answers that differ most"
    return Check(name, found, allowed, "passed" if passed else "failed")


def _cost_checks(keras: Sequence[Answer], runtime: Sequence[Answer], limits: Limits) -> Iterator[Check]:
    """What quantization cost, with 95 % confidence."""
    ours, theirs, count = score(keras), score(runtime), len(keras)

    def check(
        name: str,
        estimator: Estimator,
        limit: float,
        found: str,
        allowed: str,
        bounds: Callable[[Interval], tuple[str, str]],
    ) -> Check:
        interval = estimator(count)
        outcome = interval.at_most(limit)
        needed = questions_needed(estimator, count, limit) if outcome == "undecided" else None
        low, high = bounds(interval)
        return Check(name, f"{found} (95 % interval {low} to {high})", allowed, outcome, needed)

    yield check(
        "perplexity, runtime / Keras",
        perplexity_ratio(keras, runtime),
        limits.max_perplexity_ratio,
        f"{theirs.perplexity:.4f} / {ours.perplexity:.4f} = {theirs.perplexity / ours.perplexity:.4f}",
        f"at most {limits.max_perplexity_ratio}",
        lambda interval: (f"{interval.low:.4f}", f"{interval.high:.4f}"),
    )
    yield check(
        "exact match, Keras -> runtime",
        accuracy_loss(keras, runtime),
        limits.max_accuracy_loss,
        f"{ours.exact_match:.1f} % -> {theirs.exact_match:.1f} %",
        f"at most {limits.max_accuracy_loss} points lost",
        lambda interval: (f"{-interval.high:+.1f}", f"{-interval.low:+.1f} points"),
    )
    if limits.min_accuracy is not None:
        yield check(
            ACCURACY,
            accuracy_shortfall(runtime),
            100 - limits.min_accuracy,
            f"{theirs.exact_match:.1f} %",
            f"at least {limits.min_accuracy} %",
            lambda interval: (f"{100 - interval.high:.1f}", f"{100 - interval.low:.1f} %"),
        )
