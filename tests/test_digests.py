import json
import os
import time
from pathlib import Path

import pytest

from pipeline import digests
from pipeline.digests import DigestCache, digest_of_json, sha256_of_file

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""sha256 of "abc", FIPS 180-2, appendix B.1."""


def old(path: Path, text: str) -> Path:
    """A file that was changed long ago."""
    path.write_text(text)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read."""
    read: list[Path] = []

    def reading(path: Path) -> str:
        read.append(path)
        return sha256_of_file(path)

    monkeypatch.setattr(digests, "sha256_of_file", reading)
    return read


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    assert sha256_of_file(old(tmp_path / "abc", "abc")) == ABC
    assert DigestCache(tmp_path / "cache").sha256(tmp_path / "abc") == ABC


def test_the_digest_of_json_does_not_depend_on_its_layout() -> None:
    assert digest_of_json({"b": 1, "a": [1, "ü"]}) == digest_of_json(
        json.loads('{"a" : [1, "\\u00fc"], "b": 1}')
    )
    assert digest_of_json({"a": [1, 2]}) != digest_of_json({"a": [2, 1]})
    assert digest_of_json({"a": 1}) != digest_of_json({"a": "1"})


def test_an_unchanged_file_is_read_once(tmp_path: Path, count: list[Path]) -> None:
    file = old(tmp_path / "abc", "abc")
    cache = DigestCache(tmp_path / "cache")
    assert cache.sha256(file) == cache.sha256(file) == ABC
    cache.save()
    assert DigestCache(tmp_path / "cache").sha256(file) == ABC
    assert count == [file]


def test_a_file_of_the_same_size_but_another_time_is_read_again(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache")
    file = old(tmp_path / "abc", "abd")
    assert cache.sha256(file) != ABC
    file.write_text("abc")
    assert cache.sha256(file) == ABC


def test_a_replaced_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache")
    file = old(tmp_path / "abc", "abd")
    assert cache.sha256(file) != ABC
    old(tmp_path / "other", "abc").replace(file)
    assert cache.sha256(file) == ABC


def test_the_digest_of_a_file_that_just_changed_is_not_cached(tmp_path: Path) -> None:
    # A second write within one tick of the file system's clock leaves size, time and inode as they are.
    cache = DigestCache(tmp_path / "cache")
    file = tmp_path / "abc"
    file.write_text("abd")
    stamp = time.time_ns()
    os.utime(file, ns=(stamp, stamp))
    assert cache.sha256(file) != ABC
    file.write_text("abc")
    os.utime(file, ns=(stamp, stamp))
    assert cache.sha256(file) == ABC


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b'{"/x": 5}', b'{"/x": [1]}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_cache_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache").write_bytes(content)
    file = old(tmp_path / "abc", "abc")
    cache = DigestCache(tmp_path / "cache")
    assert cache.sha256(file) == ABC
    cache.save()
    assert json.loads((tmp_path / "cache").read_text()).keys() == {str(file.resolve())}


def test_files_that_no_longer_exist_are_removed_from_the_cache(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache")
    kept, gone = old(tmp_path / "kept", "1"), old(tmp_path / "gone", "2")
    cache.sha256(kept)
    cache.sha256(gone)
    gone.unlink()
    cache.save()
    assert json.loads((tmp_path / "cache").read_text()).keys() == {str(kept.resolve())}


def test_a_link_has_the_digest_of_its_target(tmp_path: Path, count: list[Path]) -> None:
    file = old(tmp_path / "abc", "abc")
    (tmp_path / "link").symlink_to(file)
    cache = DigestCache(tmp_path / "cache")
    assert cache.sha256(file) == cache.sha256(tmp_path / "link") == ABC
    assert len(count) == 1
