"""Promise: a .task is the same model: the runtime gives the same answers, and what it leaves out is known."""

import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.families.chat import Message
from pipeline.families.turns import CHAT
from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.formats.task import (
    LEFT_OUT,
    METADATA_ENTRY,
    MODEL_ENTRY,
    TOKENIZER_ENTRY,
    different_entries,
    read_task_metadata,
)
from pipeline.litert.convert.task_writer import write_task
from pipeline.litert.runtime.engine import Runtime
from tests.support.finished_run import shared
from tests.support.tiny_gemma import ANSWERS, SPEC, converted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session", params=["fp32", "int8", "int4"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A .litertlm of a recipe, and the .task made of it."""
    bundle = SPEC if request.param == "fp32" else replace(SPEC, recipe=request.param, prefill_lengths=(32,))
    model = converted(tmp_path_factory, bundle)

    def make(folder: Path) -> None:
        folder.mkdir()
        write_task(model, folder / "model.task", folder / "log")

    return model, shared(tmp_path_factory, f"task_{request.param}", make) / "model.task"


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
    for word in ("system message", "whitespace", "line break", "sampler", "context length", "description"):
        assert word in " ".join(LEFT_OUT.split())


def _rendered(runtime: Runtime, messages: list[Message]) -> str:
    with runtime.chat(messages[:-1]) as chat:
        return chat.render(messages[-1]["content"])


def test_the_model_and_the_tokenizer_are_copied_byte_for_byte(pair: tuple[Path, Path]) -> None:
    container = read_container(pair[0])
    with zipfile.ZipFile(pair[1]) as archive:
        assert archive.testzip() is None
        assert archive.read(MODEL_ENTRY) == container.read(MODEL)
        assert archive.read(TOKENIZER_ENTRY) == container.read(TOKENIZER)
    assert different_entries(pair[1], pair[0]) == []


def test_equal_input_gives_equal_bytes_whenever_it_was_made(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    write_task(pair[0], tmp_path / "model.task", tmp_path / "log")
    assert (tmp_path / "model.task").read_bytes() == pair[1].read_bytes()


def test_the_metadata_declares_the_chat_format(pair: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(pair[1]) as archive:
        found = read_task_metadata(archive.read(METADATA_ENTRY), "model.task")
    assert (found.start, found.stops) == (CHAT.bos, CHAT.stop_tokens)
    assert found.turns["user"] == (CHAT.user_prefix, CHAT.turn_suffix)
    assert found.turns["model"] == (CHAT.model_prefix, CHAT.turn_suffix)
