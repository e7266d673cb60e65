"""Two sides of the same model, Keras and the phone's runtime: how far apart, and whether that is within the limits."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.evaluation.answers import Answer, Scores, score
from pipeline.families.registry import DEFAULT_CHAT
from pipeline.recipe.sections.verify import VerifySection


@dataclass(frozen=True)
class Check:
    """One promise: what was found, what was allowed, whether it holds."""

    name: str
    found: str
    limit: str
    passed: bool


@dataclass(frozen=True)
class TokenIds:
    """The token ids of one conversation, by the training code and by the runtime."""

    conversation: str
    training: list[int]
    runtime: list[int]

    @property
    def same(self) -> bool:
        return self.training == self.runtime


@dataclass(frozen=True)
class Comparison:
    """All checks, and what they were made from.

    Attributes:
        checks: in the order in which a person should read them.
        keras, runtime: scores of either side.
        pairs: the answers of both sides to each question, Keras's first.
        token_ids: of the conversations that were compared.
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
        """The questions on which the two sides differ most: other answers first, then by log-probability per token."""
        apart = [
            pair for pair in self.pairs if pair[0].text != pair[1].text or logprob_difference(*pair) > 0.0
        ]
        return sorted(apart, key=lambda pair: (pair[0].text == pair[1].text, -logprob_difference(*pair)))[
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
    limits: VerifySection,
    *,
    control_tokens: Sequence[str] = DEFAULT_CHAT.control_tokens,
    token_ids: Sequence[TokenIds] = (),
    differences: Sequence[str] = (),
) -> Comparison:
    """Compare the runtime's answers with Keras's.

    Args:
        keras, runtime: answers to the same questions in the same order, at least one.
        limits: how far apart they may be.
        control_tokens: none of these may occur in a reply.
        token_ids: the same conversations tokenised by either side.
        differences: what the bundle says otherwise than training, in words.

    Raises:
        ValueError: the two lists are not about the same questions.
    """
    if [(a.question, a.expected) for a in keras] != [(a.question, a.expected) for a in runtime]:
        raise ValueError("the two sides answered different questions")
    pairs = tuple(zip(keras, runtime, strict=True))
    ours, theirs = score(keras), score(runtime)

    def count(promise: Callable[[Answer, Answer], bool]) -> int:
        return sum(not promise(*pair) for pair in pairs)

    loss = ours.exact_match - theirs.exact_match
    same = 1 - count(lambda a, b: a.text == b.text) / len(pairs)
    tokens = sum(answer.tokens for answer in keras)
    apart = sum(abs(a.logprob - b.logprob) for a, b in pairs) / tokens
    ratio = theirs.perplexity / ours.perplexity
    run_on = count(lambda a, b: b.stopped or not a.stopped)
    marked = count(lambda a, b: not any(marker in b.text for marker in control_tokens))
    cut_otherwise = count(lambda a, b: a.tokens == b.tokens)
    other_ids = sum(not ids.same for ids in token_ids)
    checks = [
        Check("bundle as in training", "; ".join(differences) or "yes", "yes", not differences),
        Check("conversations with other token ids", f"{other_ids} of {len(token_ids)}", "0", other_ids == 0),
        Check(
            "expected answers with another token count",
            f"{cut_otherwise} of {len(pairs)}",
            "0",
            cut_otherwise == 0,
        ),
        Check("replies that show a marker", f"{marked} of {len(pairs)}", "0", marked == 0),
        Check(
            "replies that do not stop, but do in Keras",
            f"{run_on} of {len(pairs)}",
            f"at most {limits.max_unstopped:.1%}",
            run_on <= limits.max_unstopped * len(pairs),
        ),
        Check(
            "log-probability per token, mean difference",
            f"{apart:.4f}",
            f"at most {limits.max_logprob_difference}",
            apart <= limits.max_logprob_difference,
        ),
        Check(
            "perplexity, runtime / Keras",
            f"{theirs.perplexity:.4f} / {ours.perplexity:.4f} = {ratio:.4f}",
            f"at most {limits.max_perplexity_ratio}",
            ratio <= limits.max_perplexity_ratio,
        ),
        Check(
            "same greedy answer",
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
