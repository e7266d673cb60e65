"""A run folder: results appear whole or not at all, one process works in it at a time, and what is up to date
is not made again.

`runs/<name>/<stage>/` appears in one rename, complete, with its `manifest.json` inside. A stage that was
killed leaves only a hidden working folder, which the next call removes. `pipeline.run.files` names what is in
the folder.
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

from pipeline.console import console, styled
from pipeline.digests import DigestCache
from pipeline.errors import InputError, PocketGemmaError
from pipeline.machine import PeakMemory, describe_machine, package_versions
from pipeline.run.endings import interrupted, unpublished
from pipeline.run.files import RunFiles, StageFiles
from pipeline.run.freshness import Determinants, Settings, reasons_to_run, versions_kept
from pipeline.run.manifest import FORMAT, Manifest, file_differences, list_files, read_manifest
from pipeline.run.stages import STAGES


@dataclass
class Work:
    """A stage at work: write results into `folder`, and facts worth recording into `details`."""

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
                f"{root}: cannot be created: {error.strerror}; choose another folder with --run"
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
                f"{self.root}: in use by another pocketgemma command; wait until it ends, or choose another "
                "folder with --run"
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
        """The folder of a stage's published result, whether or not it exists."""
        return self.files.stage(stage).folder

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a finished stage.

        Raises:
            InputError: the stage has no result here.
            PocketGemmaError: its manifest is damaged.
        """
        path = self.files.stage(stage).manifest
        try:
            return read_manifest(path)
        except FileNotFoundError:
            raise InputError(
                f"{self.root}: no result of {stage} yet; run: pocketgemma {stage} --config RECIPE --run "
                f"{self.root}"
            ) from None
        except ValueError as error:
            raise PocketGemmaError(
                f"{path}: damaged ({error}); run: pocketgemma {stage} --force --run {self.root}"
            ) from None

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        settings: Mapping[str, Any],
        after: tuple[str, ...] = (),
        inputs: Mapping[str, Path] | None = None,
        packages: tuple[str, ...] = (),
        sources: Mapping[str, str] | None = None,
        keep: bool = False,
        in_one_form: Callable[[Settings], Settings] = dict,
        force: bool = False,
    ) -> Iterator[Work]:
        """Do a stage's work in a hidden folder and publish it, unless its result is up to date.

        Args:
            name: one of STAGES.
            settings: the values of the recipe that determine the result. Not paths: files are identified by
                digest.
            after: the stages whose published results this one reads.
            inputs: further files or folders that it reads, by a label that is the same on every machine.
            packages: the packages whose versions determine the result.
            sources: digests of our own code and of other things that determine the result, by a name to
                print.
            keep: other versions of packages and sources do not make the result out of date. They are only
                printed.
            in_one_form: makes recorded settings comparable with `settings`, where a recipe can say the same
                in several ways.
            force: do the work even if the result is up to date.

        Yields:
            Work. If `up_to_date` is true, the caller returns at once and nothing is touched.

        Raises:
            InputError: an input or the result of an earlier stage is missing.
            Interrupted: Ctrl-C in the work of the caller.
            PocketGemmaError: the disk refuses the finished work.
        """
        if name not in STAGES:
            raise ValueError(f"unknown stage {name!r}")
        versions, inputs = package_versions(), inputs or {}
        now = Determinants(
            settings=_as_json(settings),
            inputs=self._files(inputs),
            previous={stage: self.manifest(stage).digest for stage in after},
            packages={package: versions.get(package) for package in packages},
            sources=sources or {},
            keep=keep,
            in_one_form=lambda recorded: _as_json(in_one_form(recorded)),
        )
        reasons = ["--force"] if force else self._reasons(name, now)
        if reasons == []:
            kept = versions_kept(self.manifest(name), now)
            console.print(styled(("✓", "green"), f" {name:9} up to date{f' ({kept})' if kept else ''}"))
            yield Work(name, self.folder(name), up_to_date=True)
            return

        rerun = f"{name:9} rerun: {'; '.join(reasons)}" if reasons and self.folder(name).exists() else name
        console.print(styled(("▸", "bold"), f" {rerun}"))
        working = self.files.working(name)
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir()
        work = Work(name, working, up_to_date=False)
        started = time.monotonic()
        try:
            with PeakMemory() as memory:
                yield work
        except KeyboardInterrupt as stop:
            shutil.rmtree(working, ignore_errors=True)
            raise interrupted(self.files, name, str(stop)) from None
        except BaseException:
            shutil.rmtree(working, ignore_errors=True)
            raise
        try:
            document = {
                "format": FORMAT,
                "stage": name,
                "settings": now.settings,
                "inputs": now.inputs,
                "previous": now.previous,
                "outputs": self._files({"": working}),
                "input_paths": {label: str(path.resolve()) for label, path in inputs.items()},
                "sources": now.sources,
                "details": work.details,
                "packages": versions,
                "machine": describe_machine(),
                "seconds": round(time.monotonic() - started, 2),
                "peak_memory_bytes": memory.peak_bytes,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            self._publish(name, working, document)
        except OSError as error:
            raise unpublished(self.files, name, working, error) from error
        except BaseException:
            shutil.rmtree(working, ignore_errors=True)
            raise
        console.print(
            styled(
                ("✓", "green"),
                f" {name:9} {document['seconds']:.1f} s, peak memory {memory.peak_bytes / 1e9:.1f} GB",
            )
        )

    def _reasons(self, name: str, now: Determinants) -> list[str] | None:
        """Why a stage has to run; empty if its result is up to date, None if there is no result."""
        try:
            manifest = read_manifest(self.files.stage(name).manifest)
        except FileNotFoundError:
            return None
        except ValueError as error:
            return [f"its manifest is damaged ({error})"]
        reasons = reasons_to_run(manifest, now)
        if reasons:
            return reasons
        different = file_differences(manifest.document["outputs"], self._files({"": self.folder(name)}))
        return [f"its files were modified ({different})"] if different else []

    def _files(self, paths: Mapping[str, Path]) -> list[dict[str, Any]]:
        return list_files(paths, self.digests.sha256)

    def _set_aside(self, name: str) -> None:
        """Move files that no stage wrote to the logs, before their folder is replaced: those that a manifest
        does not list, or all of them if there is no manifest."""
        folder = self.folder(name)
        recorded = set()
        if self.files.stage(name).manifest.exists():
            try:
                outputs = read_manifest(self.files.stage(name).manifest).document["outputs"]
            except ValueError:
                return
            recorded = {entry["name"] for entry in outputs}
        for entry in self._files({"": folder}):
            if entry["name"] in recorded:
                continue
            kept = self.files.logs.added(name) / entry["name"]
            kept.parent.mkdir(parents=True, exist_ok=True)
            (folder / entry["name"]).replace(kept)
            console.print(f"  {folder / entry['name']}: not written by {name}; moved to {kept}")

    def _publish(self, name: str, working: Path, document: dict[str, Any]) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        StageFiles(working).manifest.write_text(text, encoding="utf-8")
        for path in (*working.rglob("*"), working):
            _flush(path)
        folder, old = self.folder(name), self.files.replaced(name)
        if folder.exists():
            self._set_aside(name)
            folder.rename(old)
        working.rename(folder)
        _flush(self.root)
        shutil.rmtree(old, ignore_errors=True)

    def _recover(self) -> None:
        """Undo what a killed process left: bring back a result that was moved aside, remove incomplete
        ones."""
        for name in STAGES:
            old, folder = self.files.replaced(name), self.folder(name)
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(self.files.working(name), ignore_errors=True)
        self.digests.remove_leftovers()


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are read from a manifest: tuples become lists."""
    read: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return read


def _flush(path: Path) -> None:
    """Have the system write a file's bytes, or a folder's list of names, to the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
