"""Promise: the room for a result is there before the work begins, and a finished result is never lost for
lack of it."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.run.space import reserved, write_somewhere

MORE_THAN_ANY_DISK = 1 << 60


@pytest.fixture(params=["fallocate", "zeros"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zeros":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)


@pytest.mark.usefixtures("_both_ways")
def test_room_is_held_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "reserved"
    with reserved(path, 3_000_000) as give_back:
        assert path.stat().st_size == 3_000_000
        assert path.stat().st_blocks * 512 >= 3_000_000  # not a sparse file
        give_back()
        assert not path.exists()
    with pytest.raises(RuntimeError), reserved(path, 10):
        raise RuntimeError
    assert not path.exists()


def test_a_full_disk_is_found_before_the_work(tmp_path: Path) -> None:
    said = pytest.raises(PocketGemmaError, match="not enough space for a result of .* MB")
    with said as caught, reserved(tmp_path / "reserved", MORE_THAN_ANY_DISK):
        pytest.fail("the work has begun")
    assert "free some space, or choose another folder with --run" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_refuses_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, other = tmp_path / "full", tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(other))

    def write(path: Path) -> None:
        if full in path.parents:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_text("weeks of work")

    with pytest.raises(PocketGemmaError, match="No space left on device") as caught:
        write_somewhere(write, full / "adapter.safetensors")
    [kept] = other.rglob("adapter.safetensors")
    assert kept.read_text() == "weeks of work"
    assert f"kept in {kept}" in str(caught.value)
