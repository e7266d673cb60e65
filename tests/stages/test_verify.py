"""Promise: a converted model that differs from the fine-tuned one is refused, and the error names what was
lost.

The complete model passes (the fixture verifies it with Keras). Each kind of damage below has happened in
practice. For those, Keras's answers are taken from the fixture: they are the same for all of them.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from pipeline.data.examples import Example
from pipeline.errors import InputError, PocketGemmaError
from pipeline.evaluation import in_keras
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.conversations import spread
from pipeline.families.turns import CHAT
from pipeline.litert.convert.task_writer import write_task
from pipeline.report.results import Results
from pipeline.run.folder import Run
from pipeline.stages import verify
from tests.support.damaged_models import (
    forget_a_stop_token,
    name_another_stop_token,
    swap_two_pieces,
    use_another_template,
)
from tests.support.finished_run import BASE, QUESTIONS, WITHOUT_LOCK, config, finished_run
from tests.support.litertlm import with_matrices, with_metadata, with_scaled_matrix
from tests.support.runtime_openings import count_openings

pytestmark = pytest.mark.slow
__all__ = ["finished_run"]

Damage = Callable[[Path, Path, Path], object]
"""(the complete model, the damaged one to write, the run folder)"""


@pytest.fixture
def copy(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run folder, and Keras's answers without Keras."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder, copy_function=os.link, ignore=WITHOUT_LOCK)
    lines = [
        json.loads(line)
        for line in (finished_run / "verify" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    shutil.rmtree(folder / "verify")

    def answers(
        preset: Path, examples: Sequence[Example], *, max_new_tokens: int, adapter: Path | None
    ) -> list[Answer]:
        if adapter is None:  # the base, of which nothing depends
            return []
        assert adapter.name == "adapter.safetensors"
        assert "merge" not in preset.parts
        assert [example.question for example in examples] == [line["question"] for line in lines]
        return [
            Answer(
                line["question"],
                line["expected"],
                line["keras"]["text"],
                line["keras"]["stopped"],
                line["keras"]["logprob"],
                line["keras"]["tokens"],
                line["tags"],
            )
            for line in lines
        ]

    def stored_logprobs(preset: Path, examples: Sequence[Example], change: object) -> tuple[list[float], ...]:
        """Those of the complete model: the runtime's."""
        assert preset == folder / "merge" / "huggingface"
        stored = [line["runtime"]["logprob"] for line in lines]
        rounding = [1e-4 * line["runtime"]["tokens"] for line in lines]
        return stored, [a + b for a, b in zip(stored, rounding, strict=True)]

    monkeypatch.setattr(in_keras, "answer_all", answers)
    monkeypatch.setattr(in_keras, "stored_logprobs", stored_logprobs)
    monkeypatch.setattr(verify, "use_backend", lambda backend: None)
    return folder


def damage(folder: Path, make: Damage) -> None:
    """Replace the converted model by a damaged one, and its .task by none."""
    model = folder / "convert" / "model.litertlm"
    whole = model.rename(folder / "whole.litertlm")
    make(whole, model, folder)
    (folder / "convert" / "model.task").unlink(missing_ok=True)


def refusal(folder: Path) -> str:
    with Run(folder) as run, pytest.raises(PocketGemmaError) as caught:
        verify.run(config(), run)
    assert not (folder / "verify").exists()
    digest = (folder / "logs" / "verify" / "convert.sha256").read_text(encoding="ascii")
    assert digest == run.manifest("convert").digest
    return str(caught.value)


def drop_the_adapter(whole: Path, damaged: Path, folder: Path) -> None:
    merged = load_file(folder / "merge" / "huggingface" / "model.safetensors")
    base = load_file(folder / BASE / "model.safetensors")
    changed = {name: matrix for name, matrix in base.items() if (matrix != merged[name]).any()}
    assert changed
    with_matrices(whole, damaged, changed, merged)


def scale_a_matrix(whole: Path, damaged: Path, folder: Path) -> None:
    settings = json.loads((folder / "merge" / "huggingface" / "config.json").read_text())
    with_scaled_matrix(whole, damaged, (settings["intermediate_size"], settings["hidden_size"]), 4.0)


def put_line_breaks_after_turns(whole: Path, damaged: Path, folder: Path) -> None:
    """As in Gemma's own template: the same text for a whole conversation, another text for a conversation
    that continues."""

    def change(metadata: Any) -> None:
        before, after = "{%- if not loop.first -%}{{ '\\n' }}{%- endif -%}", "'<end_of_turn>'"
        template = CHAT.template.replace(before, "").replace(after, "'<end_of_turn>\\n'")
        metadata.jinja_prompt_template = template.replace("'\\n<start_of_turn>model", "'<start_of_turn>model")

    with_metadata(whole, damaged, change)


def test_the_complete_model_passes(finished_run: Path) -> None:
    report = json.loads((finished_run / "verify" / "report.json").read_text(encoding="utf-8"))
    assert report["outcome"] == "undecided"  # accepted: 24 questions decide nothing about accuracy
    assert 0.3 < report["agreement"]["ratio"] < 2
    assert report["keras"]["count"] == QUESTIONS
    assert all(ids["same"] for ids in report["token_ids"])
    details = json.loads((finished_run / "verify" / "manifest.json").read_text(encoding="utf-8"))["details"]
    assert details["questions"] == QUESTIONS
    assert not (finished_run / "logs" / "verify").exists()


def test_the_base_answers_some_of_the_questions_as_the_preset_alone_does(finished_run: Path) -> None:
    lines, base = (
        [
            json.loads(line)
            for line in (finished_run / "verify" / name).read_text(encoding="utf-8").splitlines()
        ]
        for name in ("answers.jsonl", "base_answers.jsonl")
    )
    assert len(base) == verify.BASE_QUESTIONS
    asked = spread(lines, len(base))
    assert [answer["question"] for answer in base] == [line["question"] for line in asked]
    # The base was pretrained on these questions; the adapter changes half of its answers.
    assert all(answer["correct"] for answer in base)
    assert [answer["text"] for answer in base] != [line["keras"]["text"] for line in asked]


def test_the_adapter_of_the_fixture_matters(finished_run: Path) -> None:
    """Otherwise a dropped adapter could not be detected."""
    lines = [
        json.loads(line)
        for line in (finished_run / "verify" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sum(not line["keras"]["correct"] for line in lines) >= 3  # the base answers these questions


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (
            drop_the_adapter,
            [
                "matrices are not those of the converted model",
                "runtime compared with Keras on the stored numbers: not measured",
            ],
        ),
        (
            scale_a_matrix,
            ["1 matrices are not those of the converted model (model.layers.", "up_proj.weight"],
        ),
        (
            forget_a_stop_token,
            [
                "list of stop tokens",
                "replies that contain a marker",
                "replies that stop in Keras but not in the runtime",
            ],
        ),
        (name_another_stop_token, ["list of stop tokens", "replies that contain a marker"]),
        (use_another_template, ["chat template differs", "conversations with different token IDs"]),
        (put_line_breaks_after_turns, ["chat template differs", "a second question takes"]),
        (swap_two_pieces, ["tokenizer differs", "conversations with different token IDs"]),
    ],
)
def test_a_damaged_model_is_refused_and_the_damage_named(copy: Path, make: Damage, named: list[str]) -> None:
    damage(copy, make)
    message = refusal(copy)
    for words in named:
        assert words in message


def test_each_model_file_is_opened_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = count_openings(monkeypatch)
    with Run(copy) as run:
        verify.run(config(), run)
    assert opened == {"model.litertlm": 1, "model.task": 1}


def test_the_report_of_a_failure_is_kept_and_named(copy: Path) -> None:
    damage(copy, drop_the_adapter)
    message = refusal(copy)
    report = copy / "logs" / "verify" / "report.md"
    assert str(report) in message
    assert "**Failed.**" in report.read_text(encoding="utf-8")
    assert "## Largest differences" in report.read_text(encoding="utf-8")
    assert len((report.parent / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == QUESTIONS


def test_a_passing_run_removes_the_old_report(copy: Path) -> None:
    (copy / "logs" / "verify").mkdir(parents=True)
    with Run(copy) as run:
        verify.run(config(), run)
    assert (copy / "verify" / "report.md").exists()
    assert not (copy / "logs" / "verify").exists()


def test_a_refusal_is_withdrawn_when_the_recipe_accepts_the_model_again(copy: Path) -> None:
    with Run(copy) as run:
        verify.run(config(), run)
        with pytest.raises(PocketGemmaError, match="at least 100"):
            verify.run(config(min_accuracy=100.0), run)
        marker = run.files.logs.refused_conversion
        assert Results.of(copy).refused
        verify.run(config(), run)
        assert not Results.of(copy).refused and not marker.exists()
        # A refusal of another conversion stays.
        marker.write_text("another", encoding="ascii")
        verify.run(config(), run)
        assert marker.exists()


def test_a_truncated_model_is_refused(copy: Path) -> None:
    def truncate(whole: Path, damaged: Path, folder: Path) -> None:
        damaged.write_bytes(whole.read_bytes()[:-100_000])

    damage(copy, truncate)
    with Run(copy) as run, pytest.raises(InputError, match="truncated"):
        verify.run(config(), run)


def test_a_task_that_answers_differently_is_refused(copy: Path, tmp_path: Path) -> None:
    whole, task = copy / "convert" / "model.litertlm", copy / "convert" / "model.task"
    scale_a_matrix(whole, tmp_path / "damaged.litertlm", copy)
    task.unlink()
    write_task(tmp_path / "damaged.litertlm", task, tmp_path / "log")
    assert "model.task replies differently to" in refusal(copy)


def test_the_recipes_limits_apply(copy: Path) -> None:
    with (
        Run(copy) as run,
        pytest.raises(PocketGemmaError, match=r"exact match in the runtime: .* \(at least 100.0 %\)"),
    ):
        verify.run(config(min_accuracy=100.0), run)


def test_without_other_questions_it_asks_training_examples(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("test", "validation"):
        path = copy / "prepare" / f"{name}.jsonl"
        path.unlink()
        path.write_text("")
    with Run(copy) as run:
        verify.run(config(), run)
    assert "training examples are asked" in capsys.readouterr().out
    asked = (copy / "verify" / "answers.jsonl").read_text().splitlines()
    train = (copy / "prepare" / "train.jsonl").read_text().splitlines()
    prompts = {json.loads(line)["messages"][-2]["content"] for line in train}
    assert asked
    assert {json.loads(line)["question"] for line in asked} <= prompts


def test_a_base_file_that_is_not_the_base_is_refused(copy: Path) -> None:
    # As if the fine-tuned model had been published under the base's name.
    whole, base = copy / "convert" / "model.litertlm", copy / "convert" / "base.litertlm"
    shutil.copyfile(whole, base)
    said = refusal(copy)
    assert "base.litertlm: description is" in said
    assert "base.litertlm: 12 matrices are not those of the converted model" in said
