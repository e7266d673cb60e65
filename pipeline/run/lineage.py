"""The way back from a file of a run folder to the examples: links from manifest to manifest, with every
digest computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.run.files import MANIFEST, RunFiles
from pipeline.run.finished import finished_stage_of
from pipeline.run.manifest import Manifest, file_differences, list_files, read_manifest
from pipeline.run.stages import STAGES


@dataclass(frozen=True)
class Link:
    """One step of the way.

    Attributes:
        stage: the stage that it belongs to; empty for a file that no stage wrote.
        what: what is connected, such as "model.litertlm" or "prepare → finetune".
        intact: whether the digests agree.
        detail: what agrees, or what does not.
    """

    stage: str
    what: str
    intact: bool
    detail: str


@dataclass(frozen=True)
class Output:
    """A published file.

    Attributes:
        root: the run folder.
        stage: the stage that wrote it.
        name: its name in the folder of the stage.
    """

    root: Path
    stage: str
    name: str

    @property
    def path(self) -> Path:
        return RunFiles(self.root).stage(self.stage).folder / self.name


def short(digest: str) -> str:
    """The beginning of a sha256, for messages."""
    return f"sha256 {digest[:12]}…"


def run_folders(folder: Path) -> list[Path]:
    """A run folder itself, or the run folders in a folder."""
    if not folder.is_dir():
        return []
    folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return [root for root in folders if any(RunFiles(root).stage(name).manifest.is_file() for name in STAGES)]


def outputs_with(roots: Sequence[Path], digest: str) -> Iterator[Output]:
    """Every published file with a digest, those of earlier stages first."""
    for root in roots:
        for stage in STAGES:
            manifest = recorded(root, stage)
            if isinstance(manifest, Manifest):
                for entry in manifest.document["outputs"]:
                    if entry["sha256"] == digest:
                        yield Output(root, stage, entry["name"])


def inputs_with(roots: Sequence[Path], stage: str, digest: str) -> Iterator[str]:
    """The labels under which a file with a digest was an input of a stage."""
    for root in roots:
        manifest = recorded(root, stage)
        if isinstance(manifest, Manifest):
            yield from (entry["name"] for entry in manifest.document["inputs"] if entry["sha256"] == digest)


def recorded(root: Path, stage: str) -> Manifest | str:
    """The manifest of a stage, or why there is none."""
    try:
        return read_manifest(RunFiles(root).stage(stage).manifest)
    except FileNotFoundError:
        return f"the result of {stage} is missing"
    except (OSError, ValueError) as error:
        return f"{stage}/{MANIFEST} is damaged: {error}"


def walk(root: Path, last: str, above: tuple[Path, ...] = ()) -> Iterator[Link]:
    """The links of a stage and of all stages before it, the last first; then those of the run whose adapter a
    training started from.

    Args:
        root: a run folder.
        last: the stage.
        above: run folders whose links led here.
    """
    wanted = {last}
    earlier: list[Path] = []
    for stage in reversed(STAGES):
        if stage not in wanted:
            continue
        manifest = recorded(root, stage)
        if isinstance(manifest, str):
            continue  # The link that led here reports it.
        yield _result(root, stage, manifest)
        for before, digest in manifest.document["previous"].items():
            wanted.add(before)
            yield _previous(root, before, stage, digest)
        yield from _inputs(stage, manifest)
        if stage == "finetune":
            earlier += map(Path, manifest.document["input_paths"].values())
    above = (*above, root.resolve())
    for path in earlier:
        folder = finished_stage_of(path)
        if folder is not None and folder.parent.resolve() not in above:
            yield from walk(folder.parent, folder.name, above)


def _result(root: Path, stage: str, manifest: Manifest) -> Link:
    present = list_files({"": RunFiles(root).stage(stage).folder}, sha256_of_file)
    different = file_differences(manifest.document["outputs"], present)
    if different:
        return Link(stage, f"{stage}/", False, f"differs from its manifest: {different}")
    return Link(stage, f"{stage}/", True, f"{len(present)} files as written {manifest.document['finished']}")


def _previous(root: Path, before: str, stage: str, digest: str) -> Link:
    what = f"{before} → {stage}"
    manifest = recorded(root, before)
    if isinstance(manifest, str):
        return Link(stage, what, False, manifest)
    if manifest.digest != digest:
        return Link(stage, what, False, f"{stage} used a result of {before} that is not the current one")
    return Link(stage, what, True, f"manifest {short(digest)}")


def _inputs(stage: str, manifest: Manifest) -> Iterator[Link]:
    """A link for each file or folder that a stage read from outside the run folder."""
    for label, text in manifest.document["input_paths"].items():
        path = Path(text)
        entries = [
            entry
            for entry in manifest.document["inputs"]
            if entry["name"] == label or entry["name"].startswith(f"{label}/")
        ]
        what = f"{path.name} → {stage}"
        try:
            present = list_files({label: path}, sha256_of_file)
        except InputError:
            yield Link(stage, what, False, f"{path} is missing")
            continue
        different = file_differences(entries, present)
        count = "" if len(entries) == 1 else f"{len(entries)} files in "
        digest = f" ({short(entries[0]['sha256'])})" if len(entries) == 1 else ""
        yield Link(
            stage,
            what,
            not different,
            f"{path}: {different}" if different else f"{label}: {count}{path}{digest}",
        )
    if not manifest.document["input_paths"] and not manifest.document["previous"]:
        source = manifest.details.get("preset", "no input")
        version = manifest.details.get("version")
        yield Link(stage, f"{source} → {stage}", True, f"version {version}" if version else "")
