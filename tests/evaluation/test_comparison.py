"""Promise: every difference between the runtime and Keras is found and named, and refused if it exceeds its
limit."""

from dataclasses import replace

import pytest

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, Limits, TokenIds, compare, logprob_difference

LIMITS = Limits(
    max_accuracy_loss=2,
    min_same_answers=0.9,
    max_unstopped=0.0,
    max_logprob_difference=0.1,
    max_perplexity_ratio=1.1,
)
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
    for number in range(100)
)


def changed(count: int, **changes: object) -> list[Answer]:
    """Keras's answers, the first `count` of them changed."""
    return [replace(answer, **changes) if index < count else answer for index, answer in enumerate(KERAS)]  # type: ignore[arg-type]


def failed(comparison: Comparison) -> set[str]:
    return {check.name for check in comparison.failures}


def test_the_same_answers_pass() -> None:
    comparison = compare(KERAS, KERAS, LIMITS)
    assert comparison.passed
    assert comparison.worst() == []


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        pytest.param(
            changed(1, text="answer <end_of_turn>"), {"replies that contain a marker"}, id="one marker shown"
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
        pytest.param(changed(3, text="wrong"), {"exact match, Keras -> runtime"}, id="three points lost"),
        pytest.param(
            changed(11, text="wrong"),
            {"exact match, Keras -> runtime", "identical greedy answers"},
            id="eleven other answers",
        ),
        pytest.param(
            changed(100, logprob=-1.0),
            {"mean log-probability difference per token", "perplexity, runtime / Keras"},
            id="a colder model",
        ),
        pytest.param(
            changed(100, logprob=-0.05),
            {"mean log-probability difference per token"},
            id="a surer model is another model",
        ),
    ],
)
def test_each_limit_refuses(answers: list[Answer], names: set[str]) -> None:
    assert failed(compare(KERAS, answers, LIMITS)) == names


@pytest.mark.parametrize(
    "answers",
    [changed(2, text="wrong"), changed(100, logprob=-0.55)],
    ids=["two points lost", "0.0125 nats per token apart"],
)
def test_within_the_limits_it_passes(answers: list[Answer]) -> None:
    assert compare(KERAS, answers, LIMITS).passed


def test_differences_that_cancel_out_are_still_differences() -> None:
    swing = [replace(answer, logprob=-1.0 if index % 2 else 0.0) for index, answer in enumerate(KERAS)]
    assert failed(compare(KERAS, swing, LIMITS)) == {"mean log-probability difference per token"}


def test_a_reply_that_does_not_stop_in_keras_either_does_not_count() -> None:
    keras = changed(5, stopped=False)
    assert compare(keras, keras, LIMITS).passed


def test_other_token_ids_are_refused() -> None:
    ids = [TokenIds("hello", [2, 4, 5], [2, 4, 5]), TokenIds("grüße", [2, 4, 7], [2, 4, 8, 9])]
    comparison = compare(KERAS, KERAS, LIMITS, token_ids=ids)
    assert failed(comparison) == {"conversations with different token IDs"}


def test_differences_of_the_model_file_are_refused_and_named() -> None:
    comparison = compare(KERAS, KERAS, LIMITS, differences=["the chat template differs"])
    assert [check.found for check in comparison.failures] == ["the chat template differs"]


def test_a_minimum_accuracy_is_enforced() -> None:
    wrong_on_both = changed(20, text="wrong")
    assert compare(wrong_on_both, wrong_on_both, LIMITS).passed
    demanding = replace(LIMITS, min_accuracy=90.0)
    assert failed(compare(wrong_on_both, wrong_on_both, demanding)) == {"exact match in the runtime"}


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
    comparison = compare(KERAS, answers, LIMITS)
    assert [pair[0].question for pair in comparison.worst()] == ["question 5", "question 3", "question 8"]
    assert [pair[0].question for pair in comparison.worst(1)] == ["question 5"]


def test_the_difference_is_per_token() -> None:
    answer = Answer("q", "a", "a", True, logprob=-2.0, tokens=4)
    assert logprob_difference(answer, replace(answer, logprob=-4.0)) == 0.5
