"""sha256 of files and of JSON documents, with a cache by size and modification time so that large files are
read once."""

import contextlib
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import IO, Any

from pipeline.foreign import parse_json

FRESH_NS = 50_000_000
"""The digest of a file that changed less than this ago, in ns, is not cached: a second change within the same
tick of the file system's clock might leave size and time unchanged."""

LEFTOVER_S = 3600.0
"""An unfinished file of this age, in seconds, belongs to a process that died: saving takes far less."""

BLOCK_BYTES = 1 << 20


def sha256_of_file(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return sha256_of_stream(file)


def sha256_of_stream(stream: IO[bytes], size: int | None = None) -> str:
    """The hexadecimal sha256 of the rest of a stream, or of its next `size` bytes."""
    digest = hashlib.sha256()
    left = size
    while block := stream.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left)):
        digest.update(block)
        if left is not None:
            left -= len(block)
    return digest.hexdigest()


def digest_of_json(document: Any) -> str:
    """The hexadecimal sha256 of a document's canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class DigestCache:
    """A cache of sha256 by file, valid while size, modification time (ns) and inode stay the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._known: dict[str, list[Any]] = {}
        try:
            document = parse_json(path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(document, dict):
            self._known = {
                key: entry for key, entry in document.items() if isinstance(entry, list) and len(entry) == 4
            }

    def sha256(self, path: Path) -> str:
        """The hexadecimal sha256 of a file, from the cache if the file is unchanged."""
        now = time.time_ns()
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        name = str(path.resolve())
        known = self._known.get(name)
        if known and known[:3] == stamp:
            return str(known[3])
        digest = sha256_of_file(path)
        if abs(now - status.st_mtime_ns) > FRESH_NS:
            self._known[name] = [*stamp, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write the cache, without files that no longer exist."""
        if not self._changed:
            return
        known = {path: entry for path, entry in self._known.items() if os.path.exists(path)}
        self.remove_leftovers(older_than_s=LEFTOVER_S)
        # If two threads or processes save at the same time, one file wins; the digests of the other are
        # computed again.
        temporary = self._path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
        temporary.write_text(json.dumps(known), encoding="utf-8")
        temporary.replace(self._path)
        self._changed = False

    def remove_leftovers(self, older_than_s: float = 0) -> None:
        """Remove the unfinished files of processes that were killed while they saved, if they are older than
        this many seconds. Pass an age if other processes may be saving to the same cache."""
        for leftover in self._path.parent.glob(f"{self._path.stem}.*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another process removed it, or finished
                if time.time() - leftover.stat().st_mtime >= older_than_s:
                    leftover.unlink()
