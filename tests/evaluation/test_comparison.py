"""Promise: every difference between the runtime and Keras is found and named, and refused if it exceeds its
limit."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.evaluation.agreement import Agreement
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, Limits, TokenIds, compare, logprob_difference
from pipeline.evaluation.decision import accuracy_loss

LIMITS = Limits(max_accuracy_loss=2, max_unstopped=0.0, max_perplexity_ratio=1.1, max_runtime_noise=4.0)
RIGHT = Agreement(difference=1.2e-4, rounding=1e-4, questions=400, log_deviation=0.1)
KERAS = tuple(
    Answer(
        f"question {number}",
        f"answer {number}",
        f"answer {number}",
        True,
        logprob=-0.5,
        tokens=4,
        tags={"kind": "ab"[number % 2]},
    )
    for number in range(400)
)


def changed(count: int, **changes: object) -> list[Answer]:
    """Keras's answers, the first `count` of them changed."""
    return [replace(answer, **changes) if index < count else answer for index, answer in enumerate(KERAS)]  # type: ignore[arg-type]


def compared(runtime: Sequence[Answer], keras: Sequence[Answer] = KERAS, **options: Any) -> Comparison:
    return compare(keras, runtime, options.pop("limits", LIMITS), **{"agreement": RIGHT, **options})


def failed(comparison: Comparison) -> set[str]:
    return {check.name for check in comparison.failures}


def undecided(comparison: Comparison) -> set[str]:
    return {check.name for check in comparison.undecided}


EXACT_MATCH, PERPLEXITY = "exact match, Keras -> runtime", "perplexity, runtime / Keras"


def test_the_same_answers_pass() -> None:
    comparison = compared(KERAS)
    assert comparison.outcome == "passed"
    assert comparison.worst() == []
    assert (comparison.same_answers, comparison.logprob_difference) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        pytest.param(
            changed(1, text="answer 0<end_of_turn>"),
            {"replies that contain a marker"},
            id="one marker shown",
        ),
        pytest.param(
            changed(1, stopped=False),
            {"replies that stop in Keras but not in the runtime"},
            id="one reply runs on",
        ),
        pytest.param(
            changed(1, tokens=5),
            {"expected answers with a different token count"},
            id="one answer cut otherwise",
        ),
        pytest.param(changed(24, text="wrong"), {EXACT_MATCH}, id="six points lost of four hundred"),
        pytest.param(changed(400, logprob=-1.0), {PERPLEXITY}, id="a colder model"),
    ],
)
def test_each_limit_refuses(answers: list[Answer], names: set[str]) -> None:
    comparison = compared(answers)
    assert comparison.outcome == "failed"
    assert failed(comparison) == names


@pytest.mark.parametrize(
    "answers",
    [changed(1, text="wrong"), changed(400, logprob=-0.55), changed(400, logprob=-0.05)],
    ids=["one answer lost of four hundred", "0.0125 nats per token lost", "surer than Keras"],
)
def test_within_the_limits_it_passes(answers: list[Answer]) -> None:
    assert compared(answers).outcome == "passed"


def test_between_the_two_it_is_undecided_and_says_how_many_questions_would_decide() -> None:
    comparison = compared(changed(6, text="wrong"))
    assert comparison.outcome == "undecided"
    assert undecided(comparison) == {EXACT_MATCH}
    needed = comparison.needed
    assert needed is not None and 100 < needed < 3000
    # The promised number does decide, in the same proportions; a tenth fewer does not.
    for share, outcome in ((1.0, "passed"), (0.9, "undecided")):
        count = 400 + round(needed * share)
        interval = accuracy_loss(KERAS, changed(6, text="wrong"))(count)
        assert interval.at_most(LIMITS.max_accuracy_loss) == outcome


def test_no_number_of_questions_decides_exactly_at_the_limit() -> None:
    comparison = compared(changed(8, text="wrong"))
    assert undecided(comparison) == {EXACT_MATCH}
    assert comparison.needed is None


def test_few_questions_are_undecided_even_without_a_difference() -> None:
    comparison = compared(KERAS[:40], KERAS[:40])
    assert comparison.outcome == "undecided"
    assert comparison.needed == pytest.approx(149, abs=3)


def test_one_question_is_undecided() -> None:
    assert compared(KERAS[:1], KERAS[:1]).outcome == "undecided"


def test_differences_that_cancel_out_widen_the_interval() -> None:
    swing = [replace(answer, logprob=-12.0 if index % 2 else 11.0) for index, answer in enumerate(KERAS)]
    assert undecided(compared(swing)) == {PERPLEXITY}


RUNTIME = "runtime compared with Keras on the stored numbers"


@pytest.mark.parametrize("ratio", [0.0, 1.0, 3.2])
def test_a_runtime_within_rounding_passes(ratio: float) -> None:
    assert compared(KERAS, agreement=replace(RIGHT, difference=ratio * 1e-4)).outcome == "passed"


@pytest.mark.parametrize(
    "found", [replace(RIGHT, difference=5e-4), replace(RIGHT, difference=math.nan), None]
)
def test_a_runtime_beyond_rounding_is_refused(found: Agreement | None) -> None:
    assert failed(compared(KERAS, agreement=found)) == {RUNTIME}


def test_a_runtime_is_refused_only_with_confidence() -> None:
    assert compared(KERAS, agreement=replace(RIGHT, difference=6e-4, log_deviation=0.5)).outcome == "passed"
    assert failed(compared(KERAS, agreement=replace(RIGHT, difference=6e-4, log_deviation=0.1))) == {RUNTIME}


def test_a_reply_that_does_not_stop_in_keras_either_does_not_count() -> None:
    keras = changed(5, stopped=False)
    assert compared(keras, keras).outcome == "passed"


def test_other_token_ids_are_refused() -> None:
    ids = [TokenIds("hello", [2, 4, 5], [2, 4, 5]), TokenIds("grüße", [2, 4, 7], [2, 4, 8, 9])]
    assert failed(compared(KERAS, token_ids=ids)) == {"conversations with different token IDs"}


def test_differences_of_the_model_file_are_refused_and_named() -> None:
    comparison = compared(KERAS, differences=["the chat template differs"])
    assert [check.found for check in comparison.failures] == ["the chat template differs"]


def test_a_minimum_accuracy_is_enforced() -> None:
    wrong_on_both = changed(80, text="wrong")
    assert compared(wrong_on_both, wrong_on_both).outcome == "passed"
    demanding = replace(LIMITS, min_accuracy=90.0)
    assert failed(compared(wrong_on_both, wrong_on_both, limits=demanding)) == {"exact match in the runtime"}
    modest = replace(LIMITS, min_accuracy=79.0)
    assert undecided(compared(wrong_on_both, wrong_on_both, limits=modest)) == {"exact match in the runtime"}


def test_answers_to_different_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different questions"):
        compare(KERAS, changed(1, question="another"), LIMITS)
    with pytest.raises(ValueError, match="different questions"):
        compare(KERAS, KERAS[:-1], LIMITS)


def test_worst_lists_different_answers_first_then_the_largest_differences() -> None:
    answers = list(KERAS)
    answers[3] = replace(answers[3], logprob=-9.0)
    answers[5] = replace(answers[5], text="wrong")
    answers[8] = replace(answers[8], logprob=-2.0)
    comparison = compared(answers)
    assert [pair[0].question for pair in comparison.worst()] == ["question 5", "question 3", "question 8"]
    assert [pair[0].question for pair in comparison.worst(1)] == ["question 5"]


def test_the_difference_is_per_token() -> None:
    answer = Answer("q", "a", "a", True, logprob=-2.0, tokens=4)
    assert logprob_difference(answer, replace(answer, logprob=-4.0)) == 0.5


def test_a_ratio_that_two_answers_make_passes_and_says_so() -> None:
    others = replace(RIGHT, difference=1.1e-4)
    found = compared(KERAS, agreement=replace(RIGHT, difference=1e-2, others=others))
    (check,) = (check for check in found.checks if check.name == RUNTIME)
    assert check.outcome == "passed"
    assert check.found.endswith("; 1.1 x without the 2 answers that differ most")
    assert failed(
        compared(KERAS, agreement=replace(RIGHT, difference=1e-2, others=replace(others, difference=1e-3)))
    ) == {RUNTIME}
