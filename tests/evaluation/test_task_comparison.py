"""Promise: a .task of the same model passes; another model, other tokens or other stop tokens in it are
found."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.data.examples import Example
from pipeline.evaluation import in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.task_comparison import task_differences
from pipeline.formats.task import METADATA_ENTRY
from pipeline.litert.convert.task_writer import write_task
from pipeline.litert.runtime.engine import Runtime
from tests.support.tiny_gemma import ANSWERS, SPEC, converted

pytestmark = pytest.mark.slow
LIMIT = 40


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """The learned questions, one with whitespace around it, and a conversation that a .task cannot
    represent."""
    rows = [
        Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}), "a test")
        for question, answer in ANSWERS.items()
    ]
    question, answer = rows[0].messages
    spaced = Example(({"role": "user", "content": f" {question['content']}\n"}, answer), "a test")
    system = Example(({"role": "system", "content": "Be brief."}, question, answer), "a test")
    return [*rows, spaced, system]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(tmp_path_factory, SPEC)


@pytest.fixture(scope="module")
def answers(model: Path, examples: list[Example]) -> list[Answer]:
    with Runtime(model) as runtime:
        return in_runtime.answer_all(runtime, examples, max_new_tokens=LIMIT)


def differences(model: Path, task: Path, examples: list[Example], answers: list[Answer]) -> list[str]:
    with Runtime(model) as runtime, Runtime(task) as task_runtime:
        return task_differences(runtime, task_runtime, examples, answers, questions=9, max_new_tokens=LIMIT)


def test_the_same_model_passes(
    model: Path, examples: list[Example], answers: list[Answer], tmp_path: Path
) -> None:
    write_task(model, tmp_path / "model.task", tmp_path / "log")
    assert differences(model, tmp_path / "model.task", examples, answers) == []


def test_another_model_is_found(
    model: Path,
    examples: list[Example],
    answers: list[Answer],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    other = converted(tmp_path_factory, replace(SPEC, recipe="int4", prefill_lengths=(32,)))
    write_task(other, tmp_path / "model.task", tmp_path / "log")
    found = differences(model, tmp_path / "model.task", examples, answers)
    assert "the model in model.task differs from that in model.litertlm" in found
    assert any(
        line.startswith("log-probabilities in model.task differ from those in model.litertlm by up to")
        for line in found
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"\x2a\x0d<end_of_turn>", b"\x2a\x0d<start_of_tur", "model.task starts with token"),
        (b"\x2a\x05<eos>", b"\x2a\x05<pad>", "stops at"),
        (
            b"\x12\x14<start_of_turn>user\n",
            b"\x12\x14<start_of_turn>USER\n",
            "gives different token IDs in 4 of 4",
        ),
    ],
)
def test_other_tokens_in_its_metadata_are_found(
    model: Path,
    examples: list[Example],
    answers: list[Answer],
    tmp_path: Path,
    old: bytes,
    new: bytes,
    message: str,
) -> None:
    write_task(model, tmp_path / "whole.task", tmp_path / "log")
    with (
        zipfile.ZipFile(tmp_path / "whole.task") as whole,
        zipfile.ZipFile(tmp_path / "model.task", "w") as changed,
    ):
        for entry in whole.infolist():
            content = whole.read(entry)
            if entry.filename == METADATA_ENTRY:
                assert old in content
                content = content.replace(old, new)
            changed.writestr(zipfile.ZipInfo(entry.filename), content)
    found = differences(model, tmp_path / "model.task", examples, answers)
    assert any(message in line for line in found)
    assert not any("differs from that in" in line for line in found)
