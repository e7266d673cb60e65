"""The results of finished stages: nothing but their stage writes into them."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.run.files import RunFiles
from pipeline.run.stages import STAGES


def finished_stage_of(path: Path) -> Path | None:
    """The folder of the finished stage that a file lies in, or would lie in; None if there is none."""
    for folder in path.resolve().parents:
        if folder.name in STAGES and RunFiles(folder.parent).stage(folder.name).manifest.is_file():
            return folder
    return None


def refuse_finished_stage(output: Path) -> None:
    """Refuse a file to write inside the result of a finished stage, whose digests are recorded.

    Raises:
        InputError: it lies in one.
    """
    folder = finished_stage_of(output)
    if folder is not None:
        raise InputError(
            f"{output}: is inside the finished result of {folder.name}, which must not change; "
            f"choose a file outside {folder}"
        )
