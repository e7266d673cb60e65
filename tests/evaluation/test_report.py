"""Promise: the report shows what differs, where, and in which words."""

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pipeline.evaluation.agreement import Agreement
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, Limits, TokenIds, compare
from pipeline.evaluation.report import markdown, table, write_report
from pipeline.run.files import VerifyFiles

LIMITS = Limits(max_accuracy_loss=2.0, max_unstopped=0.0, max_perplexity_ratio=1.1, max_runtime_noise=4.0)
RIGHT = Agreement(difference=1.2e-4, rounding=1e-4, questions=2, log_deviation=0.1)
KERAS = (
    Answer("What is | gold?", "Au", "Au", True, logprob=-0.1, tokens=2, tags={"kind": "symbol"}),
    Answer("And iron?", "Fe", "Fe", True, logprob=-0.2, tokens=2, tags={"kind": "mass"}),
)
MANY = KERAS * 200


def refused() -> Comparison:
    runtime = (replace(KERAS[0], text="Ag\nand more", stopped=False, logprob=-3.0), KERAS[1])
    return compare(
        KERAS, runtime, LIMITS, token_ids=[TokenIds("grüße", [2, 4, 7], [2, 4, 8])], agreement=RIGHT
    )


def test_the_report_names_the_checks_that_failed_and_the_worst_example() -> None:
    text = markdown(refused(), "finished_run")
    assert "**Failed.**" in text
    assert "| ✗ | replies that stop in Keras but not in the runtime | 1 of 2 | at most 0.0 % |" in text
    assert "1.2 x rounding (95 % interval 1.0 to 1.5), 1.2e-04 nats per token | at most 4 x rounding" in text
    assert "50.0 % of the greedy answers are identical" in text
    assert "| What is \\| gold? | Au | Au | Ag ⏎ and more … (does not stop) | 1.4500 |" in text
    assert "| symbol | 100.0 % | 0.0 % |" in text
    assert "grüße: the first difference is at token 2" in text


def test_a_passing_report_has_no_worst_examples() -> None:
    text = markdown(compare(MANY, MANY, LIMITS, agreement=RIGHT), "finished_run")
    assert "Passed." in text
    assert "Largest differences" not in text and "Undecided" not in text


def test_an_undecided_report_says_how_many_questions_would_decide() -> None:
    comparison = compare(KERAS, KERAS, LIMITS, agreement=RIGHT)
    text = markdown(comparison, "finished_run")
    assert "**Undecided.** There are too few questions." in text
    assert (
        "| ? | exact match, Keras -> runtime | 100.0 % -> 100.0 % (95 % interval -65.8 to +65.8 points)"
        in text
    )
    assert f"- exact match, Keras -> runtime: about {comparison.needed} more questions would decide" in text


def test_the_terminal_table_shows_every_check_with_its_limit() -> None:
    console = Console(width=200, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    comparison = refused()
    console.print(table(comparison))
    text = console.export_text()
    for check in comparison.checks:
        assert check.name in text
        assert check.limit in text
    assert text.count("✗") == len(comparison.failures) > 0
    assert text.count("?") == len(comparison.undecided) > 0


def test_the_files_hold_both_sides_of_every_answer(tmp_path: Path) -> None:
    write_report(VerifyFiles(tmp_path / "verify"), refused(), "finished_run")
    lines = [
        json.loads(line)
        for line in (tmp_path / "verify" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [(line["keras"]["text"], line["runtime"]["text"]) for line in lines] == [
        ("Au", "Ag\nand more"),
        ("Fe", "Fe"),
    ]
    document = json.loads((tmp_path / "verify" / "report.json").read_text(encoding="utf-8"))
    assert document["outcome"] == "failed"
    assert document["agreement"]["ratio"] == RIGHT.ratio
    assert document["token_ids"][0]["same"] is False
    assert (tmp_path / "verify" / "report.md").read_text(encoding="utf-8").startswith("# finished_run")
