"""Promise: what a command reads is never written, and an older output stays until the new one is complete."""

import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.run.outputs import check_output, replacing


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    for name in ("file", "folder/deep/file", "blobs/real"):
        (tmp_path / name).write_text("read", encoding="utf-8")
    (tmp_path / "folder" / "linked").symlink_to(tmp_path / "blobs" / "real")
    return [tmp_path / "file", tmp_path / "folder", tmp_path / "none"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("file", "file: is an input of this command; choose another file with --out$"),
        ("none", "none: is an input of this command; choose another file with --out$"),
        ("blobs/../file", "is an input of this command"),
        ("hard", "is an input of this command"),
        (
            "folder/new",
            "folder/new: is inside .*folder, an input of this command; choose a place outside it with --out$",
        ),
        ("folder/deep/file", "is inside .*, an input of this command"),
        ("folder/linked", "is inside .*, an input of this command"),
        ("blobs/real", "is inside .*, an input of this command"),
        ("link", "is inside .*, an input of this command"),
        ("blobs", "blobs: is a folder; name the file to write with --out$"),
    ],
)
def test_an_input_is_refused(tmp_path: Path, inputs: list[Path], output: str, message: str) -> None:
    os.link(tmp_path / "file", tmp_path / "hard")
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "deep" / "file")
    with pytest.raises(InputError, match=message):
        check_output(tmp_path / output, inputs, "--out")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        InputError, match="pipe: is not a file but a device or pipe; choose a file with --out"
    ):
        check_output(tmp_path / "pipe", [], "--out")


def test_other_files_may_be_written(tmp_path: Path, inputs: list[Path]) -> None:
    (tmp_path / "older").write_text("older", encoding="utf-8")
    for output in ("older", "new", "blobs/new", "nowhere/new"):
        check_output(tmp_path / output, inputs, "--out")


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path: Path) -> None:
    output = tmp_path / "answers"
    output.write_text("older", encoding="utf-8")
    output.chmod(0o640)
    with replacing(output, "--answers") as save:
        assert output.read_text(encoding="utf-8") == "older"
        save("new ß\n")
    assert output.read_text(encoding="utf-8") == "new ß\n"
    assert output.stat().st_mode & 0o777 == 0o640
    with pytest.raises(KeyboardInterrupt), replacing(output, "--answers"):
        raise KeyboardInterrupt
    assert output.read_text(encoding="utf-8") == "new ß\n"
    assert [path.name for path in tmp_path.iterdir()] == ["answers"]


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    message = "cannot be written: No such file or directory; choose another file with --answers"
    with pytest.raises(InputError, match=message), replacing(tmp_path / "none" / "answers", "--answers"):
        pytest.fail("the work began")
