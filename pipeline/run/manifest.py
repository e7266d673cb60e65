"""What a stage records about its result: `manifest.json` in the folder of the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.digests import digest_of_json
from pipeline.errors import InputError
from pipeline.foreign import parse_json
from pipeline.run.files import MANIFEST

FORMAT = 2
"""Since format 2, manifests have `format` and `sources`, and `input_paths` instead of `places`."""

IDENTITY_KEYS = ("stage", "settings", "inputs", "outputs", "previous")
"""The keys that identify a result for the stages after it."""

MANIFEST_KEYS = {
    "format": int,
    "stage": str,
    "settings": dict,
    "inputs": list,
    "outputs": list,
    "previous": dict,
    "input_paths": dict,
    "sources": dict,
    "details": dict,
    "packages": dict,
    "machine": dict,
    "seconds": int | float,
    "peak_memory_bytes": int,
    "finished": str,
}
"""The keys of a manifest and their types.

`inputs` and `outputs` list files by name, size and sha256; `input_paths` holds the path of each input on this
machine; `previous` the digests of the manifests of earlier stages; `packages` the versions of all packages
that can change a result; `sources` digests of our own code.
"""


@dataclass(frozen=True)
class Manifest:
    """A manifest that has been read. `document` is its JSON, in the current format."""

    path: Path
    document: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of what identifies the result.

        Times and versions do not count: a result that is made again and turns out the same leaves the stages
        after it up to date.
        """
        return digest_of_json({key: self.document[key] for key in IDENTITY_KEYS})

    @property
    def details(self) -> dict[str, Any]:
        details: dict[str, Any] = self.document["details"]
        return details


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a manifest.
    """
    document = parse_json(path.read_bytes())
    found = _current(document) if isinstance(document, dict) else {}
    missing = [key for key, kind in MANIFEST_KEYS.items() if not isinstance(found.get(key), kind)]
    if missing:
        raise ValueError(f"missing or of the wrong type: {', '.join(missing)}")
    for entry in (*found["inputs"], *found["outputs"]):
        if not isinstance(entry, dict) or entry.keys() != {"name", "bytes", "sha256"}:
            raise ValueError(f"not a file entry: {entry!r:.60}")
    return Manifest(path, found)


def _current(document: dict[str, Any]) -> dict[str, Any]:
    """A document of format 1 with the keys of the current format; others as they are."""
    if "format" in document:
        return document
    current = {"format": 1, "sources": {}} | document
    current["input_paths"] = current.pop("places", None)
    return current


JUNK = frozenset((".DS_Store", "Thumbs.db", "desktop.ini"))
"""Files that a file manager leaves in a folder that someone looks into."""


def list_files(paths: Mapping[str, Path], sha256: Callable[[Path], str]) -> list[dict[str, Any]]:
    """Name, size and sha256 of every file, sorted by name, as a manifest lists them.

    Args:
        paths: files and folders by label. A folder stands for all files in it. The label "" is for the folder
            of a stage: its names get no prefix, and its own manifest is left out.
        sha256: computes or looks up the digest of a file.

    Raises:
        InputError: there is no such file or folder.
    """
    found = []
    for label, root in paths.items():
        if root.is_dir():
            inside = [path for path in root.rglob("*") if path.is_file() and path.name not in JUNK]
            files = {f"{label}/{path.relative_to(root).as_posix()}".lstrip("/"): path for path in inside}
            files.pop(MANIFEST, None)
        elif root.is_file():
            files = {label: root}
        else:
            raise InputError(f"{root}: no such file or folder (input {label})")
        found += [
            {"name": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for name, path in files.items()
        ]
    return sorted(found, key=lambda entry: entry["name"])


def file_differences(recorded: list[dict[str, Any]], present: list[dict[str, Any]]) -> str:
    """How files differ from recorded ones, such as "changed: a; missing: b; new: c"; empty if they do not."""
    before = {entry["name"]: entry["sha256"] for entry in recorded}
    now = {entry["name"]: entry["sha256"] for entry in present}
    kinds = {
        "changed": [name for name in before if name in now and before[name] != now[name]],
        "missing": [name for name in before if name not in now],
        "new": [name for name in now if name not in before],
    }
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)
