"""Promise: a .task is the same model: the runtime gives the same answers; what it leaves out is known; what is not whole is refused."""

import os
import time
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.families.chat import Message
from pipeline.families.gemma3 import CHAT
from pipeline.formats import task
from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.formats.task import (
    LEFT_OUT,
    METADATA_ENTRY,
    MODEL_ENTRY,
    TOKENIZER_ENTRY,
    bundle_task,
    check_task_file,
    different_entries,
)
from pipeline.litert.runtime.engine import Runtime
from tests.support.finished_run import shared
from tests.support.litertlm import write_container
from tests.support.tiny_gemma import ANSWERS, SPEC, converted


def write_task(path: Path, **entries: bytes) -> Path:
    whole = {MODEL_ENTRY: b"\0\0\0\0TFL3" + bytes(5000), TOKENIZER_ENTRY: b"pieces", METADATA_ENTRY: b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (whole | entries).items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="session", params=["fp32", "int8", "int4"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A .litertlm of a recipe, and the .task made of it."""
    bundle = SPEC if request.param == "fp32" else replace(SPEC, recipe=request.param, prefill_lengths=(32,))
    model = converted(tmp_path_factory, bundle)

    def make(folder: Path) -> None:
        folder.mkdir()
        bundle_task(model, folder / "model.task", folder / "log")

    return model, shared(tmp_path_factory, f"task_{request.param}", make) / "model.task"


@pytest.mark.slow
def test_both_files_answer_the_same(pair: tuple[Path, Path]) -> None:
    with Runtime(pair[0]) as one, Runtime(pair[1]) as other:
        assert (other.start_id, other.stop_ids) == (one.start_id, one.stop_ids)
        history: list[Message] = []
        for question, answer in ANSWERS.items():
            asked: Message = {"role": "user", "content": question}
            for messages in ([asked], [*history, asked]):
                assert other.token_ids(messages) == one.token_ids(messages)
                assert other.answer(messages, max_new_tokens=40) == one.answer(messages, max_new_tokens=40)
            prompt, target = CHAT.render_question(question), CHAT.render_answer(answer)
            assert other.logprobs(prompt, target) == pytest.approx(one.logprobs(prompt, target), abs=1e-5)
            history += [asked, {"role": "assistant", "content": answer}]


@pytest.mark.slow
def test_what_a_task_leaves_out_is_what_we_say(pair: tuple[Path, Path]) -> None:
    """When a later runtime carries one of these over, the words in LEFT_OUT and the docs are to change."""
    asked: Message = {"role": "user", "content": "Why?"}
    with Runtime(pair[0]) as one, Runtime(pair[1]) as other:
        system: list[Message] = [{"role": "system", "content": "Be brief."}, asked]
        assert CHAT.render_prompt(system) == _rendered(one, system)
        assert _rendered(other, system) == "Be brief." + CHAT.render_prompt([asked])
        spaced: list[Message] = [{"role": "user", "content": " Why?\n"}]
        assert _rendered(one, spaced) == CHAT.render_prompt([asked])
        assert _rendered(other, spaced) == CHAT.render_prompt([asked]).replace("Why?", " Why?\n")
        lengths = []
        for runtime in (one, other):
            with runtime.chat(greedy=True) as chat:
                list(chat.stream(next(iter(ANSWERS))))
                before = chat.tokens
                list(chat.stream("Why?", max_new_tokens=1))
                lengths.append(chat.tokens - before)
        assert lengths[1] == lengths[0] - 1
    for word in ("system message", "white space", "line break", "sampler", "context length", "description"):
        assert word in " ".join(LEFT_OUT.split())


def _rendered(runtime: Runtime, messages: list[Message]) -> str:
    with runtime.chat(messages[:-1]) as chat:
        return chat.render(messages[-1]["content"])


@pytest.mark.slow
def test_the_model_and_the_tokenizer_are_taken_over_to_the_byte(pair: tuple[Path, Path]) -> None:
    container = read_container(pair[0])
    with zipfile.ZipFile(pair[1]) as archive:
        assert archive.testzip() is None
        assert archive.read(MODEL_ENTRY) == container.read(MODEL)
        assert archive.read(TOKENIZER_ENTRY) == container.read(TOKENIZER)
    assert different_entries(pair[1], pair[0]) == []


@pytest.mark.slow
def test_equal_input_gives_equal_bytes_whenever_it_was_made(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    bundle_task(pair[0], tmp_path / "model.task", tmp_path / "log")
    assert (tmp_path / "model.task").read_bytes() == pair[1].read_bytes()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A .litertlm of whatever bytes, for bundling without MediaPipe."""
    monkeypatch.setattr(task, "_metadata", lambda *_: b"metadata")
    return write_container(tmp_path / "model.litertlm", model=b"\0\0\0\0TFL3" + bytes(range(256)) * 300)


def test_the_model_begins_where_its_pages_can_be_mapped(small: Path, tmp_path: Path) -> None:
    bundle_task(small, tmp_path / "model.task", tmp_path / "log")
    content = (tmp_path / "model.task").read_bytes()
    assert content.index(read_container(small).read(MODEL)) % 16384 == 0
    with zipfile.ZipFile(tmp_path / "model.task") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_large_model_passes_through_little_memory(small: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.litertlm"
    large.write_bytes(small.read_bytes())
    section = read_container(small).section(MODEL)
    header = large.read_bytes()[: section.begin].replace(
        section.end.to_bytes(8, "little"), (section.begin + 300_000_000).to_bytes(8, "little")
    )
    with large.open("r+b") as file:
        file.write(header)
    os.truncate(large, section.begin + 300_000_000)
    tracemalloc.start()
    bundle_task(large, tmp_path / "model.task", tmp_path / "log")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "model.task").stat().st_size > 300_000_000
    assert peak < 30_000_000
    (tmp_path / "model.task").unlink()


def test_another_model_and_another_tokenizer_are_told_apart(small: Path, tmp_path: Path) -> None:
    bundle_task(small, tmp_path / "model.task", tmp_path / "log")
    assert different_entries(tmp_path / "model.task", small) == []
    for name, content in (
        ("model", {"model": b"\0\0\0\0TFL3 other"}),
        ("tokenizer", {"tokenizer": b"other"}),
    ):
        whole = {"model": read_container(small).read(MODEL)} | content
        other = write_container(tmp_path / "other.litertlm", **whole)
        assert different_entries(tmp_path / "model.task", other) == [name]


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
