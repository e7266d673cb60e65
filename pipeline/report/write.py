"""Writing the page and the model card into a run folder."""

import os
from pathlib import Path

from pipeline.console import console, errors
from pipeline.errors import InputError
from pipeline.report.facts import gather
from pipeline.run.files import RunFiles
from pipeline.run.stages import STAGES


def write_report(root: Path) -> Path:
    """Write report.html, and model-card.md if there is a merged model of the current training.

    A file that would not change is not touched. A model card of an earlier training is removed.

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
    page, card = render(facts), render_card(facts) if facts.has_card else None
    # The page last: it counts as up to date by its time, for both.
    if card is None:
        _remove(files.model_card)
    else:
        _replace(files.model_card, card)
    _replace(files.report, page)
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
    """Whether the page is newer than every result, and no model card is missing: a command that finds all
    stages up to date would spend most of its time on drawing the page."""
    if files.merge.manifest.exists() and not files.model_card.exists():
        return False
    refused = files.logs.refused_conversion
    # The time of its folder is that of its removal.
    sources = [*(files.stage(stage).manifest for stage in STAGES), refused, refused.parent]
    times = [path.stat().st_mtime_ns for path in sources if path.exists()]
    return files.report.exists() and files.report.stat().st_mtime_ns > max(times, default=0)


def _remove(card: Path) -> None:
    """Remove a model card that describes no current model.

    Raises:
        InputError: the folder does not allow it.
    """
    if not card.exists():
        return
    try:
        card.unlink()
    except OSError as error:
        raise InputError(
            f"{card}: cannot be removed: {error.strerror}; check the folder's permissions"
        ) from None
    console.print(f"{card}: removed, because it described an earlier result")


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
