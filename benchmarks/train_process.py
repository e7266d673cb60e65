"""Runs a measurement in a process of its own, so that its peak memory is its own."""

import json
import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "MemoryError",
    "std::bad_alloc",
    "out of memory",
)
"""Parts of messages of PyTorch, Python, C++ and CUDA."""


class OutOfMemory(Exception):
    """A measurement needs more memory than this machine has."""


def in_own_process(python: str, script: str, request: dict[str, Any], **variables: str) -> dict[str, Any]:
    """The JSON document that a script prints as its last line.

    Args:
        python: the interpreter.
        script: in the folder benchmarks; its argument is a JSON file.
        request: what the file holds, and `work`, a folder for its files.
        variables: of the environment.

    Raises:
        OutOfMemory: it asked for more memory than this machine has.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request | {"work": folder}), encoding="utf-8")
        done = subprocess.run(
            [python, str(ROOT / "benchmarks" / script), str(path)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            # Otherwise the kernel would choose what to kill.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (total, total)),
        )
    if done.returncode:
        if any(part in done.stderr for part in OUT_OF_MEMORY):
            raise OutOfMemory
        asked = {name: value for name, value in request.items() if not isinstance(value, list)}
        raise SystemExit(f"{script} {json.dumps(asked)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
