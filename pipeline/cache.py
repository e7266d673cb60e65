"""Downloads and builds that all runs share, in ~/.cache/pocketgemma or the folder in POCKETGEMMA_CACHE.

An entry is a folder named by a digest of everything that determines its content. It appears in one rename, so
it is complete or absent.
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
"""Files of at least this many bytes are read once, and their digest is cached."""


def cache_root() -> Path:
    """The cache folder; created if it is missing."""
    chosen = os.environ.get("POCKETGEMMA_CACHE")
    root = Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "pocketgemma"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest_of(files: Iterable[Path], *words: str) -> str:
    """A digest of files, by name and content, and of words. A folder stands for all files in it but compiled
    Python."""
    digest = hashlib.sha256()
    for root in files:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and path.suffix != ".pyc":
                name = path.relative_to(root.parent).as_posix()
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    for word in words:
        digest.update(f"\0{word}".encode())
    return digest.hexdigest()[:24]


def sha256_of_weights(path: Path) -> str:
    """The hexadecimal sha256 of a file. For a large file it is cached while size, time and inode stay the
    same."""
    if path.stat().st_size < LARGE:
        return sha256_of_file(path)
    known = DigestCache(cache_root() / "digests.json")
    digest = known.sha256(path)
    known.save()
    return digest


def lookup(kind: str, key: str) -> Path | None:
    """The entry of this kind and key, if it exists."""
    folder = cache_root() / kind / key
    return folder if folder.is_dir() else None


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The entry of this kind and key, created by `make(folder)` if it does not exist.

    Args:
        kind: the folder in the cache, named for what the entries are.
        key: a digest of everything that determines the content.
        make: fills an empty folder. If it raises, no entry is left behind.
    """
    root = cache_root() / kind
    folder = root / key
    if folder.is_dir():
        return folder
    root.mkdir(exist_ok=True)
    # If two processes need the same entry, the second waits for the first.
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
