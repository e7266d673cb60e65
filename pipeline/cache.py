"""What is downloaded or built once and used by every run, under ~/.cache/pocketgemma or where POCKETGEMMA_CACHE says.

An entry is a folder named by a digest of everything that decides its content. It appears in one rename, so it is whole or absent.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from pipeline.digests import DigestCache, sha256_of_file

LARGE = 1 << 26
"""Bytes from which on reading a file again takes longer than looking it up."""


def cache_root() -> Path:
    """The cache folder; made when missing."""
    place = os.environ.get("POCKETGEMMA_CACHE")
    root = Path(place).expanduser() if place else Path.home() / ".cache" / "pocketgemma"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest_of(files: Iterable[Path], *words: str) -> str:
    """A digest of files (name and content, folders with all that is in them) and words, for `cached`."""
    digest = hashlib.sha256()
    for place in files:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix != ".pyc":
                name = path.relative_to(place.parent).as_posix()
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    for word in words:
        digest.update(f"\0{word}".encode())
    return digest.hexdigest()[:24]


def sha256_of_weights(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes; that of a large file is remembered as long as its size, time and inode stay the same."""
    if path.stat().st_size < LARGE:
        return sha256_of_file(path)
    known = DigestCache(cache_root() / "digests.json")
    digest = known.sha256(path)
    known.save()
    return digest


def lookup(kind: str, key: str) -> Path | None:
    """The folder of this kind and key, if it is there."""
    folder = cache_root() / kind / key
    return folder if folder.is_dir() else None


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of this kind and key, made by `make(folder)` when it is not there yet.

    Args:
        kind: what is kept there, a word for the person who looks into the cache.
        key: a digest of everything that decides the content.
        make: fills the empty folder it is given; what it raises is passed on and leaves nothing behind.
    """
    root = cache_root() / kind
    folder = root / key
    if folder.is_dir():
        return folder
    root.mkdir(exist_ok=True)
    # Two processes wanting the same entry: the second waits and finds it done.
    with FileLock(root / f"{key}.lock"):
        if folder.is_dir():
            return folder
        working = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=root))
        try:
            make(working)
            working.chmod(0o755)
            working.rename(folder)
        except BaseException:
            shutil.rmtree(working, ignore_errors=True)
            raise
    return folder
