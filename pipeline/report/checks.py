"""Facts about the merge and the comparison of the runtime with Keras: checks, scores and answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError
from pipeline.evaluation.conversations import spread
from pipeline.evaluation.interval import wilson_interval
from pipeline.report.results import Results, read_lines, read_object

EXAMPLES = 8
"""How many questions are shown if the base was asked none."""

MISTAKES = 10
"""How many wrong answers are shown, at most."""


@dataclass(frozen=True)
class MergeFacts:
    """The proof of the merge.

    Attributes:
        count: how many matrices, or other weights, were merged.
        changed: what they are: matrices or weights.
        formula: what each of them equals.
        largest_deviation: of one of them from the formula, relative.
        unchanged: other weights, which are bit-identical.
        logit_difference: the largest between Keras and Hugging Face.
        logit_noise: the same, as a multiple of the rounding error of float32.
    """

    count: int
    changed: str
    formula: str
    largest_deviation: float
    unchanged: int
    logit_difference: float
    logit_noise: float


@dataclass(frozen=True)
class CheckFacts:
    """A check of verify: what was found, what is allowed, and passed, failed or undecided."""

    name: str
    found: str
    limit: str
    outcome: str


@dataclass(frozen=True)
class Score:
    """Exact match on some questions, in percent, with the 95 % interval of the runtime's."""

    count: int
    keras: float
    runtime: float
    low: float
    high: float


@dataclass(frozen=True)
class Reply:
    """An answer of one side."""

    text: str
    correct: bool
    stopped: bool


@dataclass(frozen=True)
class ExampleFacts:
    """A question and its answers; base is None if the base was not asked."""

    question: str
    expected: str
    base: Reply | None
    keras: Reply
    runtime: Reply


@dataclass(frozen=True)
class ComparisonFacts:
    """The runtime compared with Keras.

    Attributes:
        outcome: passed, failed or undecided.
        refused: whether verify refused the model.
        split: where the questions are from: test, validation or training; empty if it is not known.
        checks: in reading order.
        same_answers: share of greedy answers that are identical.
        overall: score on all questions.
        by_tag: scores by tag and value.
        examples: some of the questions, evenly spaced.
        mistakes: the first questions that the runtime answered wrongly.
        wrong: how many these are in all.
    """

    outcome: str
    refused: bool
    split: str
    checks: Sequence[CheckFacts]
    same_answers: float
    overall: Score
    by_tag: Mapping[str, Mapping[str, Score]]
    examples: Sequence[ExampleFacts]
    mistakes: Sequence[ExampleFacts]
    wrong: int

    @property
    def caveat(self) -> str:
        """What the scores do not say, in a sentence; empty for questions that were not trained on."""
        if self.split != "training":
            return ""
        return "These are training examples: their accuracy says nothing about new questions."


def merge_facts(results: Results) -> MergeFacts | None:
    """The proof of the merge; None without a result of merge."""
    if not results.has("merge"):
        return None
    details = results.details("merge")
    return MergeFacts(
        details["matrices"],
        # Earlier versions recorded neither of these.
        details.get("changed", "weights"),
        details.get("formula", "the expected value"),
        details["largest_relative_deviation"],
        details["other_weights_unchanged"],
        details["logit_difference"],
        details["logit_noise"],
    )


def comparison_facts(results: Results) -> ComparisonFacts | None:
    """The comparison of the current conversion; None if there is none.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    files = results.comparison
    if files is None:
        return None
    report, lines = read_object(files.report), read_lines(files.answers)
    if not lines:
        raise InputError(f"{files.answers}: missing or empty; run: pocketgemma verify --force")
    wrong = [line for line in lines if not line["runtime"]["correct"]]
    return ComparisonFacts(
        outcome=report["outcome"],
        refused=results.refused,
        split=_split(results),
        checks=[
            CheckFacts(*(check[key] for key in ("name", "found", "limit", "outcome")))
            for check in report["checks"]
        ],
        same_answers=report["same_answers"],
        overall=_score(lines),
        by_tag=_by_tag(lines),
        examples=_examples(lines, read_lines(files.base_answers)),
        mistakes=[_example(line, None) for line in wrong[:MISTAKES]],
        wrong=len(wrong),
    )


def _split(results: Results) -> str:
    """The examples that verify asks: the first of these splits that has any; empty without a result of
    prepare."""
    if not results.has("prepare"):
        return ""
    prepared = results.files.prepare
    sizes = {entry["name"]: entry["bytes"] for entry in results.outputs("prepare")}
    held_out = (name for name in ("test", "validation") if sizes.get(prepared.examples(name).name))
    return next(held_out, "training")


def _score(lines: Sequence[Mapping[str, Any]]) -> Score:
    keras, runtime = (sum(line[side]["correct"] for line in lines) for side in ("keras", "runtime"))
    low, high = wilson_interval(runtime, len(lines))
    return Score(len(lines), 100 * keras / len(lines), 100 * runtime / len(lines), 100 * low, 100 * high)


def _by_tag(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Score]]:
    groups: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for tag, value in line["tags"].items():
            groups[tag][value].append(line)
    return {
        tag: {value: _score(each) for value, each in sorted(values.items())}
        for tag, values in sorted(groups.items())
    }


def _examples(lines: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> list[ExampleFacts]:
    """The questions that the base was asked, which verify spreads over all in the same way."""
    if not base:
        return [_example(line, None) for line in spread(lines, EXAMPLES)]
    return [
        _example(line, answer)
        for line, answer in zip(spread(lines, len(base)), base, strict=True)
        if (line["question"], line["expected"]) == (answer["question"], answer["expected"])
    ]


def _example(line: Mapping[str, Any], base: Mapping[str, Any] | None) -> ExampleFacts:
    return ExampleFacts(
        line["question"],
        line["expected"],
        _reply(base) if base else None,
        _reply(line["keras"]),
        _reply(line["runtime"]),
    )


def _reply(answer: Mapping[str, Any]) -> Reply:
    return Reply(answer["text"], answer["correct"], answer["stopped"])
