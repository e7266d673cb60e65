"""A run folder: where things lie, how a stage's result is published, and how one walks back from it.

`runs/<name>/<stage>/` appears in one rename, complete, with its `manifest.json` inside; a stage that was killed leaves only a
hidden working folder, which the next call removes. `pipeline.run.files` names what lies in it.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from pipeline.console import console
from pipeline.digests import DigestCache, digest_of_json
from pipeline.errors import InputError, PocketGemmaError
from pipeline.machine import PeakMemory, describe_machine, package_versions
from pipeline.run.files import MANIFEST, RunFiles
from pipeline.run.stages import STAGES

DECIDING_KEYS = ("stage", "settings", "inputs", "outputs", "previous")
"""What determines a result, or is it."""
MANIFEST_KEYS = {
    "stage": str,
    "settings": dict,
    "inputs": list,
    "outputs": list,
    "previous": dict,
    "places": dict,
    "details": dict,
    "packages": dict,
    "machine": dict,
    "seconds": int | float,
    "peak_memory_bytes": int,
    "finished": str,
}
"""The keys of a manifest and their types. `places` says where the inputs lay, for `pocketgemma trace`."""


@dataclass(frozen=True)
class Manifest:
    """What a stage recorded about itself. `document` is the JSON as it stands in the file."""

    path: Path
    document: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 over what determines the result: stage, settings, inputs, outputs and the stages before (not times)."""
        return digest_of_json({key: self.document[key] for key in DECIDING_KEYS})

    @property
    def details(self) -> dict[str, Any]:
        return self.document["details"]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no manifest.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    found = document if isinstance(document, dict) else {}
    missing = [key for key, kind in MANIFEST_KEYS.items() if not isinstance(found.get(key), kind)]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    for entry in (*found["inputs"], *found["outputs"]):
        if not isinstance(entry, dict) or entry.keys() != {"name", "bytes", "sha256"}:
            raise ValueError(f"holds a file entry {entry!r:.60}")
    return Manifest(path, found)


def list_files(places: Mapping[str, Path], sha256: Callable[[Path], str]) -> list[dict[str, Any]]:
    """Name, size and sha256 of every file, sorted by name, as a manifest lists them.

    Args:
        places: files and folders by label; a folder stands for all files below it, but for a manifest at the top of the one
            labelled "" (a stage's own).
        sha256: tells a file's digest.

    Raises:
        InputError: there is no such file or folder.
    """
    found = []
    for label, place in places.items():
        if place.is_dir():
            paths = [path for path in place.rglob("*") if path.is_file()]
            files = {f"{label}/{path.relative_to(place).as_posix()}".lstrip("/"): path for path in paths}
            files.pop(MANIFEST, None)
        elif place.is_file():
            files = {label: place}
        else:
            raise InputError(f"{place}: no such file or folder (wanted as {label})")
        found += [
            {"name": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for name, path in files.items()
        ]
    return sorted(found, key=lambda entry: entry["name"])


@dataclass
class Work:
    """A stage at work: write results into `folder`, facts worth keeping into `details`."""

    name: str
    folder: Path
    up_to_date: bool
    details: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run folder, locked for this process while used as a context manager.

    Args:
        root: the folder; made when missing.

    Raises:
        InputError: root is a file, or another process works in it.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; --run expects a folder")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{root}: cannot be made: {error.strerror}; choose another folder with --run"
            ) from None
        self.root = root
        self.files = RunFiles(root)
        self.digests = DigestCache(self.files.digests)
        self._lock = FileLock(self.files.lock)

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self.root}: another pocketgemma works in this run folder; wait for it, or use --run"
            ) from None
        self._recover()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.digests.save()
        finally:
            self._lock.release()

    def folder(self, stage: str) -> Path:
        """Where the published result of a stage lies (or would lie)."""
        return self.files.stage(stage).folder

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a finished stage.

        Raises:
            InputError: the stage has not been run here.
            PocketGemmaError: its manifest is damaged.
        """
        path = self.files.stage(stage).manifest
        try:
            return read_manifest(path)
        except FileNotFoundError:
            raise InputError(
                f"{self.root}: no {stage} here yet; run: pocketgemma {stage} --run {self.root}"
            ) from None
        except ValueError as error:
            raise PocketGemmaError(
                f"{path}: damaged ({error}); make it again: pocketgemma {stage} --force"
            ) from None

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        settings: Mapping[str, Any],
        after: tuple[str, ...] = (),
        inputs: Mapping[str, Path] | None = None,
        force: bool = False,
    ) -> Iterator[Work]:
        """Do a stage's work aside and publish it whole, or find that it still holds.

        Args:
            name: one of STAGES.
            settings: the part of the configuration that decides the result (no paths: files are named by digest).
            after: the stages whose published results this one reads.
            inputs: further files or folders read, by a label that stays the same on every machine.
            force: do the work even when the result still holds.

        Yields:
            Work. When `up_to_date` is true, the caller returns at once and nothing is touched.

        Raises:
            InputError: an input or a stage before is missing.
        """
        if name not in STAGES:
            raise ValueError(f"unknown stage {name!r}")
        previous = {stage: self.manifest(stage).digest for stage in after}
        wanted = {
            "stage": name,
            "settings": json.loads(json.dumps(dict(settings))),
            "inputs": self._files(inputs or {}),
            "previous": previous,
        }
        if not force and self._holds(name, wanted):
            console.print(f"[green]✓[/] {name:9} up to date")
            yield Work(name, self.folder(name), up_to_date=True)
            return

        console.print(f"[bold]▸ {name}[/]")
        working = self.files.working(name)
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir()
        work = Work(name, working, up_to_date=False)
        started = time.monotonic()
        try:
            with PeakMemory() as memory:
                yield work
            document = wanted | {
                "outputs": self._files({"": working}),
                "places": {label: str(place.resolve()) for label, place in (inputs or {}).items()},
                "details": work.details,
                "packages": package_versions(),
                "machine": describe_machine(),
                "seconds": round(time.monotonic() - started, 2),
                "peak_memory_bytes": memory.peak_bytes,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            (working / MANIFEST).write_text(
                json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            self._publish(name, working)
        except BaseException:
            shutil.rmtree(working, ignore_errors=True)
            raise
        console.print(
            f"[green]✓[/] {name:9} {document['seconds']:.1f} s, {document['peak_memory_bytes'] / 1e9:.1f} GB at most"
        )

    def _holds(self, name: str, wanted: dict[str, Any]) -> bool:
        try:
            document = self.manifest(name).document
        except PocketGemmaError:
            return False
        if any(document.get(key) != value for key, value in wanted.items()):
            return False
        return self._files({"": self.folder(name)}) == document.get("outputs")

    def _files(self, places: Mapping[str, Path]) -> list[dict[str, Any]]:
        return list_files(places, self.digests.sha256)

    def _publish(self, name: str, working: Path) -> None:
        for path in (*working.rglob("*"), working):
            _flush(path)
        folder, old = self.folder(name), self.files.replaced(name)
        if folder.exists():
            folder.rename(old)
        working.rename(folder)
        _flush(self.root)
        shutil.rmtree(old, ignore_errors=True)

    def _recover(self) -> None:
        """Undo what a killed process left: bring back a result that was moved aside, remove half-made ones."""
        for name in STAGES:
            old, folder = self.files.replaced(name), self.folder(name)
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(self.files.working(name), ignore_errors=True)


def _flush(path: Path) -> None:
    """Have the system write a file's bytes, or a folder's list of names, to the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
