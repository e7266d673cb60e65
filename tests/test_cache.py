import hashlib
import os
from pathlib import Path
from threading import Barrier, Thread

import pytest

from pipeline import cache, digests
from pipeline.cache import cache_root, cached, digest_of, sha256_of_weights


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))


def test_the_environment_sets_the_cache_folder(tmp_path: Path) -> None:
    assert cache_root() == tmp_path / "cache"


def test_an_entry_is_made_once() -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "thing").write_text("made")

    first, second = cached("things", "key", make), cached("things", "key", make)
    assert first == second
    assert (first / "thing").read_text() == "made"
    assert len(calls) == 1


def test_a_failure_leaves_no_entry_and_the_next_call_tries_again() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("made")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached("things", "key", fail)
    assert [path.name for path in (cache_root() / "things").iterdir()] == ["key.lock"]
    assert (cached("things", "key", lambda folder: (folder / "whole").touch()) / "whole").exists()


def test_two_threads_that_need_the_same_entry_make_it_once() -> None:
    calls, together = [], Barrier(2)

    def work() -> None:
        together.wait()
        cached("things", "key", lambda folder: calls.append(folder))

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_digest_depends_on_content_names_and_words(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a").write_text("1")
    seen = [digest_of([folder]), digest_of([folder], "word"), digest_of([folder], "wo", "rd")]
    (folder / "a").write_text("2")
    seen.append(digest_of([folder]))
    (folder / "a").rename(folder / "b")
    seen.append(digest_of([folder]))
    assert len(set(seen)) == len(seen)
    assert digest_of([folder]) == seen[-1]


def test_a_large_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LARGE", 4)
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    os.utime(path, (1, 1))
    first = sha256_of_weights(path)
    assert first == hashlib.sha256(b"weights").hexdigest()

    def never(path: Path) -> str:
        raise AssertionError("read again")

    with monkeypatch.context() as patched:
        patched.setattr(digests, "sha256_of_file", never)
        assert sha256_of_weights(path) == first
        os.utime(path, (2, 2))
        with pytest.raises(AssertionError, match="read again"):
            sha256_of_weights(path)
    path.write_bytes(b"WEIGHTS")
    assert sha256_of_weights(path) == hashlib.sha256(b"WEIGHTS").hexdigest()


def test_a_small_file_is_always_read(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    assert sha256_of_weights(path) == hashlib.sha256(b"weights").hexdigest()
    assert not (cache_root() / "digests.json").exists()
