"""Run a module in a process of its own: the converters import many large packages, print a lot and can
crash."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.console import waiting
from pipeline.errors import PocketGemmaError
from pipeline.machine import high_water_mark

POLL_SECONDS = 0.02

HASH_SEED = "0"
"""transformers keeps the layer types of Gemma 3 in a set of strings: the seed determines the order of their
constants in the file."""


def run_isolated(module: str, request: Mapping[str, Any], log: Path, what: str) -> int:
    """Run `python -m module REQUEST.json` and wait for it.

    Args:
        module: a module of this package that can be run.
        request: its arguments; passed as a JSON file.
        log: file for everything that it prints.
        what: the work in a few words, for progress and error messages.

    Returns:
        Peak memory of the process in bytes.

    Raises:
        PocketGemmaError: the process failed; quotes the last line that it printed and names the log.
    """
    # The converters compute little: a GPU would only cost its memory. They download nothing: all files are
    # local.
    environment = os.environ | {
        "PYTHONHASHSEED": HASH_SEED,
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "HF_HUB_OFFLINE": "1",
    }
    root = str(Path(__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder,
        log.open("w", encoding="utf-8") as output,
    ):
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        with waiting(what):
            code, peak = _wait(
                subprocess.Popen(
                    [sys.executable, "-m", module, str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
    if code:
        lines = [
            line.strip()
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        ending = lines[-1][:200] if lines else f"exit code {code}"
        if code < 0:
            ending = f"killed by signal {-code}" + (
                ", probably because the machine ran out of memory" if code == -9 else ""
            )
        raise PocketGemmaError(f"{what} failed: {ending}; see its output in {log}")
    return peak


def _wait(process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Exit code and peak memory in bytes; if the wait is interrupted, the process is killed."""
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, high_water_mark(process.pid))
            time.sleep(POLL_SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process.returncode, peak
