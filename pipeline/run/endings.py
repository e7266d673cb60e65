"""What is kept, and what is said, when a stage ends without a result."""

import shutil
from contextlib import suppress
from pathlib import Path

from pipeline.errors import Interrupted, PocketGemmaError
from pipeline.run.files import RunFiles
from pipeline.run.stages import STAGES


def interrupted(files: RunFiles, name: str, next_time: str) -> Interrupted:
    """Says which results a stage that was interrupted leaves behind, and what it does the next time."""
    kept = [stage for stage in STAGES if files.stage(stage).folder.exists()]
    own = "its earlier result is kept, and it" if name in kept else "it"
    others = ", ".join(stage for stage in kept if stage != name)
    return Interrupted(
        f"interrupted in {name}: {own} {next_time or 'begins again'} the next time"
        + (f"; the results of {others} are kept" if others else "")
    )


def unpublished(files: RunFiles, name: str, working: Path, error: OSError) -> PocketGemmaError:
    """Keep the finished work of a stage that the disk refuses to publish, and say where.

    Args:
        files: of the run folder.
        name: the stage.
        working: where its work is.
        error: why it cannot be published.
    """
    place = files.logs.unpublished(name)
    with suppress(OSError):  # a rename on the same disk takes no room
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        working.rename(place)
    return PocketGemmaError(
        f"{files.stage(name).folder}: cannot be written ({error.strerror or error}); the output of {name} "
        f"is in {place if place.exists() else working}: free some space, and copy what you need from there"
    )
