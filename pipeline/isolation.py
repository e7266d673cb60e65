"""Run a module in a process of its own: the converters import many large packages, print a lot and can
crash."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.console import waiting
from pipeline.errors import PocketGemmaError

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
        Peak memory of the process in bytes; 0 if the kernel does not report it.

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
        path, peak = Path(folder) / "request.json", Path(folder) / "peak"
        path.write_text(json.dumps(request), encoding="utf-8")
        with waiting(what):
            code = subprocess.run(
                [sys.executable, "-m", "pipeline.isolated", module, str(path), str(peak)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                check=False,
            ).returncode
        if code == 0 and peak.exists():
            return int(peak.read_text(encoding="ascii"))
    raise PocketGemmaError(f"{what} failed: {_ending(code, log)}; see its output in {log}")


def _ending(code: int, log: Path) -> str:
    """How a process ended that was to succeed, from its exit code and its output."""
    if code == -9:
        return "killed by signal 9, probably because the machine ran out of memory"
    if code < 0:
        return f"killed by signal {-code}"
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    return lines[-1][:200] if lines else f"exit code {code}"
