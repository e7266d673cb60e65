"""The embedded default, walked once and shared by all tests that need a model which has learned something."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]

TOKENS = {
    "HF_TOKEN": "hf_aTokenThatNobodyMaySee0123456789",
    "KAGGLE_USERNAME": "somebody",
    "KAGGLE_KEY": "fedcba9876543210fedcba9876543210",
}
"""Of the user who runs the demo. Tests look for them in what the run makes."""


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
            command,
            cwd=ROOT,
            env=os.environ | TOKENS,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    assert done.returncode == 0, (
        f"pocketgemma {until} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    )
    return folder
