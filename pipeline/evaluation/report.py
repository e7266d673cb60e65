"""A comparison as a table on the terminal, a report in JSON and Markdown, and all answers as JSON lines."""

import json
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import Comparison, TokenIds, logprob_difference
from pipeline.run.files import VerifyFiles

MARKS = {"passed": "✓", "failed": "✗", "undecided": "?"}
STYLES = {"passed": "green", "failed": "bold red", "undecided": "bold yellow"}
RESULTS = {
    "passed": "Passed.",
    "failed": "**Failed.**",
    "undecided": "**Undecided.** There are too few questions.",
}


def table(comparison: Comparison) -> Table:
    """The checks as a table for the terminal."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "check", "found", "limit"):
        grid.add_column(heading, overflow="fold")
    for check in comparison.checks:
        grid.add_row(
            Text(MARKS[check.outcome], STYLES[check.outcome]), check.name, Text(check.found), check.limit
        )
    return grid


def similarity(comparison: Comparison) -> str:
    """How alike the answers are, in a sentence without a limit: it depends on how sure the model is."""
    return (
        f"{100 * comparison.same_answers:.1f} % of the greedy answers are identical; log-probabilities "
        f"differ by {comparison.logprob_difference:.4f} nats per token on average"
    )


def write_report(files: VerifyFiles, comparison: Comparison, title: str) -> None:
    """Write report.json, report.md and answers.jsonl; a missing folder is created."""
    files.folder.mkdir(parents=True, exist_ok=True)
    document = json.dumps(comparison.as_json(), indent=1, ensure_ascii=False)
    files.report.write_text(document + "\n", encoding="utf-8")
    files.report_markdown.write_text(markdown(comparison, title), encoding="utf-8")
    with files.answers.open("w", encoding="utf-8") as file:
        for keras, runtime in comparison.pairs:
            line = {"question": keras.question, "expected": keras.expected, "tags": keras.tags}
            for side, answer in (("keras", keras), ("runtime", runtime)):
                line[side] = {
                    key: getattr(answer, key) for key in ("text", "correct", "stopped", "logprob", "tokens")
                }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_base_answers(files: VerifyFiles, answers: Sequence[Answer]) -> None:
    """Write base_answers.jsonl: how the base answers some of the questions."""
    lines = [json.dumps(answer.as_json(), ensure_ascii=False) + "\n" for answer in answers]
    files.base_answers.write_text("".join(lines), encoding="utf-8")


def markdown(comparison: Comparison, title: str) -> str:
    """The report: result, checks, exact match by tag, token IDs that differ, and the largest differences."""
    lines = [f"# {title}", "", RESULTS[comparison.outcome], ""]
    lines += ["| | check | found | limit |", "|---|---|---|---|"]
    lines += [
        f"| {MARKS[check.outcome]} | {_cell(check.name)} | {_cell(check.found)} | {_cell(check.limit)} |"
        for check in comparison.checks
    ]
    lines += [
        "",
        f"Both sides answered {comparison.keras.count} questions greedily: {similarity(comparison)}.",
        "",
    ]
    lines += needed_lines(comparison)
    for tag, values in comparison.keras.by_tag.items():
        lines += [f"## Exact match by {tag}", "", f"| {_cell(tag)} | Keras | runtime |", "|---|---|---|"]
        runtime = comparison.runtime.by_tag[tag]
        lines += [
            f"| {_cell(value)} | {percent:.1f} % | {runtime[value]:.1f} % |"
            for value, percent in values.items()
        ]
        lines.append("")
    lines += _token_lines([ids for ids in comparison.token_ids if not ids.same])
    worst = comparison.worst()
    if worst:
        lines += ["## Largest differences", ""]
        lines += [
            "| question | expected | Keras | runtime | difference, nats per token |",
            "|---|---|---|---|---|",
        ]
        for pair in worst:
            keras, answer = pair
            reply = answer.text if answer.stopped else answer.text + " … (does not stop)"
            cells = [_cell(text) for text in (keras.question, keras.expected, keras.text, reply)]
            lines.append(f"| {' | '.join(cells)} | {logprob_difference(*pair):.4f} |")
        lines.append("")
    return "\n".join(lines)


def needed_lines(comparison: Comparison) -> list[str]:
    """For each undecided check, how many more questions would decide it."""
    lines = [f"- {check.name}: {_needed(check.needed)}" for check in comparison.undecided]
    return ["Undecided:", "", *lines, ""] if lines else []


def _needed(count: int | None) -> str:
    if count is None:
        return "the estimate is too close to the limit for any number of questions"
    return f"about {count:,} more questions would decide"


def _token_lines(differing: list[TokenIds]) -> list[str]:
    if not differing:
        return []
    lines = ["## Conversations with different token IDs", ""]
    for ids in differing:
        position = next(
            (index for index, (a, b) in enumerate(zip(ids.training, ids.runtime, strict=False)) if a != b),
            min(len(ids.training), len(ids.runtime)),
        )
        lines += [f"{_cell(ids.conversation)}: the first difference is at token {position}", ""]
        lines += [f"- training: {ids.training}", f"- runtime: {ids.runtime}", ""]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ⏎ ").replace("<", "&lt;")
