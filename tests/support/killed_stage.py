"""Processes that kill themselves, as `kill -9` would, one at each step that changes something on the disk.

Usage: python -m tests.support.killed_stage ROOT

For n = 1, 2, …: makes a stage with the content "old" in ROOT/n, then does it again with "new" in a process
that dies at its nth step. Writes "n exit-code" for each to the error output, and ends with the first process
that came to its end.
"""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import digests
from pipeline.run.folder import Run

STEPS = (
    (Path, "write_text"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "mkdir"),
    (os, "fsync"),
    (shutil, "rmtree"),
)


def make(root: Path, content: str) -> None:
    with Run(root) as run, run.stage("prepare", settings={"content": content}) as work:
        for number in range(2):
            (work.folder / f"{number}.txt").write_text(content * 1000, encoding="utf-8")


def die_at(step: int) -> None:
    """Make the nth call of one of STEPS the last thing that this process does."""
    count = itertools.count(1)
    write_text = Path.write_text

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(count) == step:
                if function is write_text:  # in the middle of writing
                    write_text(args[0], args[1][: len(args[1]) // 2], encoding="utf-8")
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for place, name in STEPS:
        setattr(place, name, deadly(getattr(place, name)))


def main() -> None:
    digests.FRESH_NS = -1  # digests are saved even on a machine that is fast, so saving is a step, too
    for step in itertools.count(1):
        root = Path(sys.argv[1]) / str(step)
        make(root, "old")
        child = os.fork()
        if child == 0:
            die_at(step)
            make(root, "new")
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(step, ended, file=sys.stderr)
        if ended == 0:
            return


if __name__ == "__main__":
    main()
