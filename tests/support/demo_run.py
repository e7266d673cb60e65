"""The embedded default, walked once and shared by all tests that need a model which has learned something."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]


@cache
def demo_run(until: str) -> Path:
    """The run folder of the demo with everything up to a stage up to date: runs/science, or where
    POCKETGEMMA_TEST_RUN says.

    What is there already is not done again, so that the whole test run runs the pipeline once.
    """
    folder = Path(os.environ.get("POCKETGEMMA_TEST_RUN", ROOT / "runs" / "science"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipeline", until, "--run", str(folder)]
    # Several workers of one test run: the first walks, the others find it done.
    with FileLock(folder.with_name(f".{folder.name}.tests.lock")):
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
        )
    assert done.returncode == 0, (
        f"pocketgemma {until} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    )
    return folder
