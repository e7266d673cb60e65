"""Promise: a .task is reported with its models, turns and stop tokens; damage anywhere gives one line."""

import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY
from pipeline.formats.zip_bounds import FREE
from pipeline.inspect.file import inspect_file
from tests.inspect.conftest import TASK_METADATA, write_task


def test_turns_and_stop_tokens_are_reported(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    path = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    found = inspect_file(path)
    assert found.kind == "task"
    assert [(token.ids, token.text) for token in found.start] == [((2,), "<bos>")]
    assert [token.ids for token in found.stop] == [(1,), (6,)]
    assert (found.turns["user"].prefix, found.turns["user"].suffix) == (">", "<")
    assert [len(model.matrices) for model in found.models] == [1]
    section = found.sections[0]
    assert path.read_bytes()[section.begin : section.end] == tflite.read_bytes()
    packed = write_task(tmp_path / "packed.task", tflite.read_bytes(), tokenizer, zipfile.ZIP_DEFLATED)
    assert any("is compressed" in note for note in inspect_file(packed).notes)


def test_damage_anywhere_in_a_zip_gives_one_line(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    """Its lists of entries are at the end: names, sizes, versions, methods, marks of encryption."""
    content = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer).read_bytes()
    path, refused = tmp_path / "damaged.task", 0
    for place in range(len(content) - 300, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            inspect_file(path)
        except InputError as error:
            assert str(error).startswith(f"{path}")
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_a_task_with_damaged_metadata_is_refused(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    path = tmp_path / "model.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL_ENTRY, tflite.read_bytes())
        archive.writestr(TOKENIZER_ENTRY, tokenizer)
        archive.writestr(METADATA_ENTRY, TASK_METADATA[:-1])
    with pytest.raises(InputError, match=r"model\.task: damaged metadata"):
        inspect_file(path)


@pytest.mark.parametrize("name", [TOKENIZER_ENTRY, METADATA_ENTRY, "other"])
def test_a_zip_that_unpacks_to_far_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, tflite: Path, tokenizer: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(FREE + 1))
        for entry, content in ((MODEL_ENTRY, tflite.read_bytes()), (TOKENIZER_ENTRY, tokenizer)):
            if entry != name:
                archive.writestr(entry, content, zipfile.ZIP_STORED)
        if name != METADATA_ENTRY:
            archive.writestr(METADATA_ENTRY, TASK_METADATA)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(InputError, match=rf"'{name}' would unpack from [\d,]+ to 16,777,217 bytes"):
        inspect_file(path)
