"""Walking from a file back to the examples it was made from, link by link, hashing everything anew."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.console import console
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.run.files import MANIFEST, RunFiles
from pipeline.run.folder import Manifest, list_files, read_manifest
from pipeline.run.stages import STAGES

if TYPE_CHECKING:
    from pipeline.targets.target import PackagedFile


@dataclass(frozen=True)
class Link:
    """One step of the way.

    Attributes:
        stage: the stage that it belongs to; empty for the file itself when no stage made it.
        what: what is connected, such as "model.litertlm" or "prepare → finetune".
        holds: whether the digests say so.
        detail: how it is known, or what does not fit.
    """

    stage: str
    what: str
    holds: bool
    detail: str


def trace(file: Path, run_root: Path) -> list[Link]:
    """Walk from a file back to the examples.

    Args:
        file: an APK, a .litertlm, an adapter, or any other file that a stage made, or a copy of it.
        run_root: a run folder, or a folder of run folders.

    Returns:
        The links, from the file to the examples. The walk goes on behind a link that does not hold.

    Raises:
        InputError: there is no such file, or no run there.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    roots = _run_folders(run_root)
    if not roots:
        raise InputError(f"{run_root}: no run folder, and none in it; name the run with --run")
    digest = sha256_of_file(file)
    made = sorted(_outputs(roots, digest), key=lambda found: not _lies_in(file, found[0] / found[1]))
    if made:
        root, stage, name = made[0]
        carried, found = _carried(file, roots)
        others = [place for place in found if place[0] != root]
        return [
            Link(stage, file.name, True, f"is {stage}/{name} (sha256 {digest[:12]}…)"),
            *carried,
            *_walk(root, stage),
            *(link for place in others for link in _walk(*place)),
        ]
    for root in roots:
        for stage in STAGES:
            if _lies_in(file, root / stage):
                manifest = _manifest(root, stage)
                changed = f"is not as {stage} made it (sha256 {digest[:12]}…)"
                why = manifest if isinstance(manifest, str) else changed
                return [Link(stage, file.name, False, f"lies in {stage}, but {why}"), *_walk(root, stage)]
    if zipfile.is_zipfile(file):
        return _from_apk(file, roots)
    return [Link("", file.name, False, f"no stage below {run_root} made this file (sha256 {digest[:12]}…)")]


def print_links(links: list[Link]) -> bool:
    """Print one line a link, and at the end whether all of them hold; returns that too."""
    from rich.markup import escape

    for link in links:
        mark = "[green]✓[/]" if link.holds else "[red]✗[/]"
        console.print(f"{mark} {escape(link.what):30} {escape(link.detail)}")
    broken = sum(not link.holds for link in links)
    if broken:
        console.print(f"[red]{broken} of {len(links)} links do not hold[/]")
    else:
        console.print(f"all {len(links)} links hold")
    return not broken


def _run_folders(place: Path) -> list[Path]:
    folders = [place, *sorted(path for path in place.iterdir() if path.is_dir())] if place.is_dir() else []
    return [
        folder
        for folder in folders
        if any(RunFiles(folder).stage(stage).manifest.is_file() for stage in STAGES)
    ]


def _outputs(roots: list[Path], digest: str) -> Iterator[tuple[Path, str, str]]:
    """Run folder, stage and name of every published file with a digest; what an earlier stage made comes first."""
    for root in roots:
        for stage in STAGES:
            manifest = _manifest(root, stage)
            if isinstance(manifest, Manifest):
                for entry in manifest.document["outputs"]:
                    if entry["sha256"] == digest:
                        yield root, stage, entry["name"]


def _manifest(root: Path, stage: str) -> Manifest | str:
    """The manifest of a stage, or why there is none."""
    try:
        return read_manifest(RunFiles(root).stage(stage).manifest)
    except FileNotFoundError:
        return f"{stage} is not there any more"
    except (OSError, ValueError) as error:
        return f"{stage}/{MANIFEST} is damaged: {error}"


def _lies_in(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _from_apk(file: Path, roots: list[Path]) -> list[Link]:
    """The links of an APK that was made elsewhere, through the models and adapters inside it."""
    carried, found = _carried(file, roots)
    if not carried:
        return [Link("", file.name, False, "no stage made it, and it tells no model")]
    links = [
        Link("", file.name, True, "no stage here made this APK; what it carries tells where it comes from")
    ]
    return [*links, *carried, *(link for place in found for link in _walk(*place))]


def _carried(file: Path, roots: list[Path]) -> tuple[list[Link], list[tuple[Path, str]]]:
    """Two links for each model and adapter of an APK (none when the file is no app), and the run folders and stages they come from."""
    from pipeline.targets import load_target

    try:
        files = load_target().packaged_files(file)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        return [Link("", file.name, False, f"cannot be read: {error}")], []
    links, places = [], []
    for each in files:
        links.append(Link("", each.entry, *_as_told(each)))
        digest = each.actual_sha256 or each.declared_sha256 or ""
        made = next(_outputs(roots, digest), None)
        if made:
            root, stage, name = made
            places.append((root, stage))
            links.append(Link(stage, each.role, True, f"is {stage}/{name} (sha256 {digest[:12]}…)"))
        elif given := next(_given(roots, digest), None):
            links.append(Link("bundle", each.role, True, f"was given to bundle as {given} ({digest[:12]}…)"))
        else:
            links.append(Link("", each.role, False, f"no stage here made it (sha256 {digest[:12]}…)"))
    # A stage's own walk meets all stages before it: of each run folder the latest stage is enough.
    latest = {
        root: max((stage for at, stage in places if at == root), key=list(STAGES).index) for root, _ in places
    }
    return links, list(latest.items())


def _as_told(each: "PackagedFile") -> tuple[bool, str]:
    """Whether a model or adapter of an APK is the one that its manifest tells of, and that in words."""
    if each.declared_sha256 is None:
        return False, f"is inside, but the APK does not tell of it: sha256 {(each.actual_sha256 or '')[:12]}…"
    if each.actual_sha256 is None:
        if each.role == "adapter":
            return False, f"is not inside, but the APK tells of it: sha256 {each.declared_sha256[:12]}…"
        return True, f"is not inside: the {each.role} is pushed beside the APK"
    if each.actual_sha256 != each.declared_sha256:
        return False, f"is another {each.role} than the APK tells of: sha256 {each.actual_sha256[:12]}…"
    return True, f"is the {each.role} that the APK tells of"


def _given(roots: list[Path], digest: str) -> Iterator[str]:
    """By which name a file from outside was given to a bundle stage here."""
    for root in roots:
        manifest = _manifest(root, "bundle")
        if isinstance(manifest, Manifest):
            yield from (entry["name"] for entry in manifest.document["inputs"] if entry["sha256"] == digest)


def _walk(root: Path, last: str) -> Iterator[Link]:
    """Links of a stage and of all stages before it, the last first."""
    wanted = {last}
    for stage in reversed(STAGES):
        if stage not in wanted:
            continue
        manifest = _manifest(root, stage)
        if isinstance(manifest, str):
            continue  # The link that led here has said so.
        yield _results(root, stage, manifest)
        for before, digest in manifest.document["previous"].items():
            wanted.add(before)
            yield _previous(root, before, stage, digest)
        yield from _inputs(stage, manifest)


def _results(root: Path, stage: str, manifest: Manifest) -> Link:
    present = list_files({"": root / stage}, sha256_of_file)
    different = _differences(manifest.document["outputs"], present)
    if different:
        return Link(stage, f"{stage}/", False, f"not as it was made: {different}")
    return Link(stage, f"{stage}/", True, f"{len(present)} files as made {manifest.document['finished']}")


def _previous(root: Path, before: str, stage: str, digest: str) -> Link:
    what = f"{before} → {stage}"
    manifest = _manifest(root, before)
    if isinstance(manifest, str):
        return Link(stage, what, False, manifest)
    if manifest.digest != digest:
        return Link(
            stage, what, False, f"{stage} was made from another {before} than the one that lies there now"
        )
    return Link(stage, what, True, f"manifest {digest[:12]}…")


def _inputs(stage: str, manifest: Manifest) -> Iterator[Link]:
    """A link for each file or folder that a stage read from outside the run folder."""
    for label, place in manifest.document["places"].items():
        recorded = [
            entry
            for entry in manifest.document["inputs"]
            if entry["name"] == label or entry["name"].startswith(f"{label}/")
        ]
        what = f"{Path(place).name} → {stage}"
        try:
            present = list_files({label: Path(place)}, sha256_of_file)
        except InputError:
            yield Link(stage, what, False, f"{place} is not there any more")
            continue
        different = _differences(recorded, present)
        count = "" if len(recorded) == 1 else f"{len(recorded)} files in "
        yield Link(
            stage, what, not different, f"{place}: {different}" if different else f"{label}: {count}{place}"
        )
    if not manifest.document["places"] and not manifest.document["previous"]:
        source = manifest.details.get("preset", "nothing outside")
        version = manifest.details.get("version")
        yield Link(stage, f"{source} → {stage}", True, f"version {version}" if version else "")


def _differences(recorded: list[dict[str, Any]], present: list[dict[str, Any]]) -> str:
    """What became of recorded files: "changed: a; gone: b; new: c"; empty when nothing did."""
    before = {entry["name"]: entry["sha256"] for entry in recorded}
    now = {entry["name"]: entry["sha256"] for entry in present}
    kinds = {
        "changed": [name for name in before if name in now and before[name] != now[name]],
        "gone": [name for name in before if name not in now],
        "new": [name for name in now if name not in before],
    }
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)
