"""Promise: a .task holds the model where it can be mapped and the tokenizer of a .litertlm; what is not whole
is refused."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.task import (
    METADATA_ENTRY,
    MODEL_ENTRY,
    TOKENIZER_ENTRY,
    check_task_file,
    different_entries,
    read_task_metadata,
    write_task_file,
)
from tests.support.litertlm import write_container


def write_task(path: Path, **entries: bytes) -> Path:
    whole = {MODEL_ENTRY: b"\0\0\0\0TFL3" + bytes(5000), TOKENIZER_ENTRY: b"pieces", METADATA_ENTRY: b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (whole | entries).items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A .litertlm of whatever bytes."""
    return write_container(tmp_path / "model.litertlm", model=b"\0\0\0\0TFL3" + bytes(range(256)) * 300)


def test_the_model_begins_where_its_pages_can_be_mapped(small: Path, tmp_path: Path) -> None:
    write_task_file(tmp_path / "model.task", read_container(small), b"metadata")
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
    write_task_file(tmp_path / "model.task", read_container(large), b"metadata")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "model.task").stat().st_size > 300_000_000
    assert peak < 30_000_000
    (tmp_path / "model.task").unlink()


def test_another_model_and_another_tokenizer_are_recognized(small: Path, tmp_path: Path) -> None:
    write_task_file(tmp_path / "model.task", read_container(small), b"metadata")
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
    with pytest.raises(InputError, match=r"not a \.tflite"):
        check_task_file(path)


def test_a_missing_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        check_task_file(tmp_path / "model.task")


def test_metadata_is_read_field_by_field() -> None:
    # protobuf: start_token_id (4), start_token (6), stop_tokens (5), prompt_templates (17) of user, model and
    # an unknown role.
    templates = b"\x8a\x01\x14\x0a\x06\x12\x01>\x1a\x01<\x12\x03\x12\x01m\x2a\x05\x12\x01x\x1a\x00"
    message = b"\x20\x02\x2a\x05<eos>" + templates
    found = read_task_metadata(message, "model.task")
    assert (found.start, found.stops) == (2, ("<eos>",))
    assert found.turns == {"user": (">", "<"), "model": ("m", "")}
    assert read_task_metadata(b"\x32\x05<bos>", "model.task").start == "<bos>"
    with pytest.raises(InputError, match=r"model\.task: damaged metadata"):
        read_task_metadata(message[:-1], "model.task")
