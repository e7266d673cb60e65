"""Promise: a stored entry begins where it can be mapped, a reader finds it there, and equal input gives equal
bytes."""

import os
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.aligned_zip import ALIGNMENT_FIELD, add_bytes, add_file, entry_offset

CONTENT = bytes(range(256)) * 40


def write(path: Path, source: Path) -> Path:
    source.write_bytes(CONTENT)
    with zipfile.ZipFile(path, "w") as archive:
        add_bytes(archive, "a", b"odd")
        add_bytes(archive, "große.txt", b"text", alignment=512)
        add_bytes(archive, "packed", CONTENT, compressed=True)
        add_file(archive, "model", source, alignment=16384)
        add_file(archive, "part", source, 100, 300)
    return path


def test_entries_hold_what_was_added_at_multiples_of_their_alignment(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip", tmp_path / "source")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert archive.read("packed") == archive.read("model") == CONTENT
    offsets = {name: entry_offset(path, entry) for name, entry in entries.items()}
    for name, wanted, alignment in (
        ("a", b"odd", 4),
        ("große.txt", b"text", 512),
        ("model", CONTENT, 16384),
        ("part", CONTENT[100:300], 4),
    ):
        assert offsets[name] % alignment == 0
        assert content[offsets[name] : offsets[name] + len(wanted)] == wanted
    assert int.from_bytes(entries["model"].extra[:2], "little") == ALIGNMENT_FIELD
    assert int.from_bytes(entries["model"].extra[4:6], "little") == 16384
    assert entries["packed"].extra == b""
    assert entries["packed"].compress_size < len(CONTENT)


def test_equal_input_gives_equal_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "x.zip", tmp_path / "source").read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert write(tmp_path / "y.zip", tmp_path / "source").read_bytes() == first


def test_a_large_file_passes_through_little_memory(tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.touch()
    os.truncate(source, 200_000_000)
    tracemalloc.start()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        add_file(archive, "large", source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "x.zip").stat().st_size > 200_000_000
    assert peak < 10_000_000
    (tmp_path / "x.zip").unlink()


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive, pytest.raises(InputError, match="ends before"):
        add_file(archive, "short", tmp_path / "short", 0, 100)


@pytest.mark.parametrize("offset", [1, 10**6, 1 << 70])
def test_a_damaged_entry_is_refused(tmp_path: Path, offset: int) -> None:
    path = write(tmp_path / "x.zip", tmp_path / "source")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("model")
    entry.header_offset = offset
    with pytest.raises(InputError, match=r"x\.zip: its entry 'model' is damaged"):
        entry_offset(path, entry)
