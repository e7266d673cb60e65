"""Writing the page and the model card into a run folder."""

import os
from pathlib import Path

from pipeline.console import console, errors
from pipeline.errors import InputError
from pipeline.report.facts import gather
from pipeline.run.files import RunFiles
from pipeline.run.stages import STAGES


def write_report(root: Path) -> Path:
    """Write report.html, and model-card.md once there is a merged model.

    A file that would not change is not touched.

    Args:
        root: a run folder.

    Returns:
        The page.

    Raises:
        InputError: no stage has a result there, what a stage wrote is missing or damaged, or the folder
            cannot be written.
    """
    from pipeline.report.card import render_card
    from pipeline.report.html import render

    files, facts = RunFiles(root), gather(root)
    _replace(files.report, render(facts))
    if facts.merge:
        _replace(files.model_card, render_card(facts))
    return files.report


def refresh(root: Path) -> None:
    """Write the page after a stage, unless it is newer than all results, and print where it is. A failure is
    a warning: the result of the stage is good without it."""
    files = RunFiles(root)
    try:
        if not _is_newest(files):
            write_report(root)
        console.print(f"report: {files.report}")
    except Exception as error:
        errors.print(
            f"warning: the report was not written: {error}; run: pocketgemma report --run {root} --debug"
        )


def _is_newest(files: RunFiles) -> bool:
    """Whether the page is newer than every result: a command that finds all stages up to date would spend
    most of its time on drawing it."""
    sources = [*(files.stage(stage).manifest for stage in STAGES), files.logs.refused_conversion]
    times = [path.stat().st_mtime_ns for path in sources if path.exists()]
    return files.report.exists() and files.report.stat().st_mtime_ns > max(times, default=0)


def _replace(path: Path, text: str) -> None:
    content = text.encode("utf-8")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.is_file() and path.read_bytes() == content:
            return
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; check the folder's permissions and free space"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
