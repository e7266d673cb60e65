"""Trace a file back to the examples that it was made from, and print each link."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import console, styled
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.run.files import RunFiles
from pipeline.run.finished import finished_stage_of
from pipeline.run.lineage import Link, inputs_with, outputs_with, recorded, run_folders, short, walk
from pipeline.run.stages import STAGES

if TYPE_CHECKING:
    from pipeline.targets.target import PackagedFile


def trace(file: Path, run_root: Path) -> list[Link]:
    """Trace a file back to the examples.

    Args:
        file: an app, a .litertlm, an adapter or any other file that a stage wrote, or a copy of it.
        run_root: a run folder, or a folder of run folders.

    Returns:
        The links, from the file to the examples. A broken link does not end the list.

    Raises:
        InputError: there is no such file, or no run folder.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    roots = run_folders(run_root)
    if not roots:
        raise InputError(f"{run_root}: not a run folder, and contains none; specify one with --run")
    digest = sha256_of_file(file)
    # Of equal files, the one that was named.
    written = sorted(outputs_with(roots, digest), key=lambda output: output.path.resolve() != file.resolve())
    if written:
        found = written[0]
        packaged, origins = _packaged_links(file, roots)
        return [
            Link(found.stage, file.name, True, f"is {found.stage}/{found.name} ({short(digest)})"),
            *packaged,
            *walk(found.root, found.stage),
            *(link for root, stage in origins if root != found.root for link in walk(root, stage)),
        ]
    for root in roots:
        for stage in STAGES:
            if _is_in(file, RunFiles(root).stage(stage).folder):
                return [_modified(file, root, stage, digest), *walk(root, stage)]
    if zipfile.is_zipfile(file):
        return _from_app(file, roots)
    return [Link("", file.name, False, f"no stage in {run_root} wrote this file ({short(digest)})")]


def run_of(file: Path) -> Path | None:
    """The run folder that a file lies in; None if it lies in none."""
    folder = finished_stage_of(file)
    return folder.parent if folder else None


def print_links(links: Sequence[Link]) -> bool:
    """Print each link on a line, and a summary; returns whether all are intact."""
    for link in links:
        mark = ("✓", "green") if link.intact else ("✗", "red")
        console.print(styled(mark, f" {link.what:30} {link.detail}"))
    broken = sum(not link.intact for link in links)
    if broken:
        console.print(f"{broken} of {len(links)} links broken", style="red")
    else:
        console.print(f"all {len(links)} links intact")
    return not broken


def _is_in(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _modified(file: Path, root: Path, stage: str, digest: str) -> Link:
    """The broken link of a file in the folder of a stage that did not write it."""
    manifest = recorded(root, stage)
    why = manifest if isinstance(manifest, str) else f"differs from what {stage} wrote ({short(digest)})"
    return Link(stage, file.name, False, f"is in {stage}/, but {why}")


def _from_app(file: Path, roots: Sequence[Path]) -> list[Link]:
    """The links of an app that was built elsewhere, through the models and adapters in it."""
    packaged, origins = _packaged_links(file, roots)
    if not packaged:
        return [Link("", file.name, False, "no stage wrote it, and it neither contains nor declares a model")]
    return [
        Link("", file.name, True, "no stage here wrote this app; its models are traced instead"),
        *packaged,
        *(link for root, stage in origins for link in walk(root, stage)),
    ]


def _packaged_links(file: Path, roots: Sequence[Path]) -> tuple[list[Link], list[tuple[Path, str]]]:
    """Two links for each model and adapter of an app (none for other files), and the run folders and stages
    that they come from."""
    from pipeline.targets import load_target, target_names

    try:
        files = [each for name in target_names() for each in load_target(name).packaged_files(file)]
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        return [Link("", file.name, False, f"cannot be read: {error}")], []
    links: list[Link] = []
    stages: dict[Path, list[str]] = {}
    for each in files:
        links.append(Link("", each.entry, *_declared(each)))
        digest = each.actual_sha256 or each.declared_sha256 or ""
        if output := next(outputs_with(roots, digest), None):
            stages.setdefault(output.root, []).append(output.stage)
            links.append(
                Link(output.stage, each.role, True, f"is {output.stage}/{output.name} ({short(digest)})")
            )
        elif label := next(inputs_with(roots, "bundle", digest), None):
            links.append(Link("bundle", each.role, True, f"was input {label} of bundle ({short(digest)})"))
        else:
            links.append(Link("", each.role, False, f"no stage here wrote it ({short(digest)})"))
    # The way back from a stage passes all stages before it: the latest stage of each run folder is enough.
    return links, [(root, max(found, key=list(STAGES).index)) for root, found in stages.items()]


def _declared(each: "PackagedFile") -> tuple[bool, str]:
    """Whether a model or adapter of an app is the one that its manifest declares, and in what way."""
    declared, actual = each.declared_sha256, each.actual_sha256
    if declared is None:
        return False, f"is in the app, but its manifest does not list it: {short(actual or '')}"
    if actual is None:
        if each.role == "adapter":
            return False, f"is not in the app, but its manifest lists it: {short(declared)}"
        return True, f"is not in the app: the {each.role} is a separate file"
    if actual != declared:
        return False, f"is not the {each.role} that the app's manifest lists: {short(actual)}"
    return True, f"is the {each.role} that the app's manifest lists"
