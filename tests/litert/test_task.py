"""Promise: a .task is the same model: the runtime gives the same answers; what is not whole is refused."""

import zipfile
from pathlib import Path

import pytest

from pipeline import prompts
from pipeline.errors import InputError
from pipeline.litert.container import MODEL, TOKENIZER, read_container
from pipeline.litert.runtime import Runtime
from pipeline.litert.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY, bundle_task, check_task_file
from pipeline.prompts import Message
from tests.support.tiny_gemma import ANSWERS


def write_task(path: Path, **entries: bytes) -> Path:
    whole = {MODEL_ENTRY: b"\0\0\0\0TFL3" + bytes(5000), TOKENIZER_ENTRY: b"pieces", METADATA_ENTRY: b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (whole | entries).items():
            archive.writestr(name, content)
    return path


@pytest.mark.slow
def test_both_files_answer_the_same(model: Path, tmp_path: Path) -> None:
    task = tmp_path / "model.task"
    bundle_task(model, task, tmp_path / "log")
    with Runtime(model) as one, Runtime(task) as other:
        assert other.stop_ids == one.stop_ids
        for question, answer in ANSWERS.items():
            messages: list[Message] = [{"role": "user", "content": question}]
            assert other.token_ids(messages) == one.token_ids(messages)
            assert other.answer(messages, max_new_tokens=40) == one.answer(messages, max_new_tokens=40)
            prompt, target = prompts.render_question(question), prompts.render_answer(answer)
            assert other.logprobs(prompt, target) == one.logprobs(prompt, target)


@pytest.mark.slow
def test_the_model_and_the_tokenizer_are_taken_over_to_the_byte(model: Path, tmp_path: Path) -> None:
    bundle_task(model, tmp_path / "model.task", tmp_path / "log")
    with zipfile.ZipFile(tmp_path / "model.task") as archive:
        assert archive.read(MODEL_ENTRY) == read_container(model).read(MODEL)
        assert archive.read(TOKENIZER_ENTRY) == read_container(model).read(TOKENIZER)


def test_a_whole_task_passes(tmp_path: Path) -> None:
    check_task_file(write_task(tmp_path / "model.task"))


def test_a_truncated_task_is_refused(tmp_path: Path) -> None:
    path = write_task(tmp_path / "model.task")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="truncated"):
        check_task_file(path)


def test_a_zip_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(TOKENIZER_ENTRY, b"pieces")
    with pytest.raises(InputError, match="lacks METADATA, TF_LITE_PREFILL_DECODE"):
        check_task_file(path)


def test_a_model_that_is_no_tflite_is_refused(tmp_path: Path) -> None:
    path = write_task(tmp_path / "model.task", **{MODEL_ENTRY: b"something else"})
    with pytest.raises(InputError, match=r"no \.tflite"):
        check_task_file(path)


def test_a_missing_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        check_task_file(tmp_path / "model.task")
