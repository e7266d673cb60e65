"""sha256 of files and of JSON documents, remembered by size and modification time so that large files are read once."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def sha256_of_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_json(document: Any) -> str:
    """Hexadecimal sha256 of a document's canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class DigestCache:
    """sha256 by file, valid while its size, modification time (ns) and inode stay the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        try:
            self._known: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def sha256(self, path: Path) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(str(path.resolve()))
        if known and known[:3] == stamp:
            return known[3]
        digest = sha256_of_file(path)
        self._known[str(path.resolve())] = [*stamp, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Write what is known, forgetting files that are gone."""
        if not self._changed:
            return
        known = {path: entry for path, entry in self._known.items() if os.path.exists(path)}
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(known), encoding="utf-8")
        temporary.replace(self._path)
        self._changed = False
