"""Checkpoints of a training: everything that the rest of it depends on, so that a training that was stopped
continues as if it had not been.

A checkpoint is a safetensors file: the trained variables, the state of the optimizer and of the random
numbers, and the best weights so far; its header has the position and the history. It appears in one rename,
so a training that is killed while it writes one still has the one before.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pipeline.console import console

KEPT = 2
"""Checkpoints that are kept: if the newest is damaged, the one before it is used."""

NAME = re.compile(r"step-(\d+)\.safetensors")

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two steps.

    Attributes:
        epoch: epochs that are complete.
        step: steps of the next epoch that are complete.
        steps: steps of all epochs that are complete.
        tensors: by name.
        facts: other values, in JSON types.
    """

    epoch: int
    step: int
    steps: int
    tensors: Tensors
    facts: Mapping[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: for the checkpoints of all trainings; this one's are in a folder of its own in it.
        fingerprint: of what determines the training, as text for a name of a folder.
        minutes: between two checkpoints; None: only at the end of epochs, and when training is stopped.
        every: steps between two checkpoints; None: only `minutes` counts.
        clock: seconds.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        *,
        minutes: float | None = None,
        every: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder / fingerprint
        self._minutes, self._every, self._clock = minutes, every, clock
        self._saved = clock()
        self._refused = False

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole, if there is one."""
        return next(filter(None, map(_read, self._files())), None)

    def others(self) -> bool:
        """Whether there are checkpoints of another training."""
        parent = self.folder.parent
        return parent.is_dir() and any(path != self.folder for path in parent.iterdir())

    def is_due(self, steps: int) -> bool:
        """Whether it is time for a checkpoint after so many steps."""
        if self._every is not None and steps % self._every == 0:
            return True
        return self._minutes is not None and self._clock() - self._saved >= 60 * self._minutes

    def save(self, checkpoint: Checkpoint) -> bool:
        """Write a checkpoint and remove old ones. If the disk refuses, training continues without, and a
        warning says so once.

        Returns:
            Whether it was written.
        """
        self._saved = self._clock()
        path = self.folder / f"step-{checkpoint.steps}.safetensors"
        partial = path.with_suffix(".partial")
        facts = {
            "position": json.dumps([checkpoint.epoch, checkpoint.step, checkpoint.steps]),
            "facts": json.dumps(dict(checkpoint.facts)),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # save_file ignores strides. A copy of what has none would be three times the trained weights.
            tensors = {name: np.asarray(tensor, order="C") for name, tensor in checkpoint.tensors.items()}
            save_file(tensors, partial, facts)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            if not self._refused:
                self._refused = True
                reason = getattr(error, "strerror", None) or error
                console.print(
                    f"  warning: {self.folder}: cannot write a checkpoint ({reason}); training "
                    "continues without one"
                )
            return False
        for old in self._files()[KEPT:]:
            with suppress(OSError):
                old.unlink()
        return True

    def _files(self) -> list[Path]:
        """The files, the newest first."""
        found = {path: NAME.fullmatch(path.name) for path in self.folder.glob("*")}
        steps = {path: int(match[1]) for path, match in found.items() if match}
        return sorted(steps, key=steps.__getitem__, reverse=True)


def _read(path: Path) -> Checkpoint | None:
    """A checkpoint; None if the file is damaged."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            facts = file.metadata() or {}
            epoch, step, steps = json.loads(facts["position"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return Checkpoint(epoch, step, steps, tensors, json.loads(facts["facts"]))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and a request to terminate wait for the end of a step; a second one does not wait.

    Yields:
        A function that says whether one came.
    """
    import signal

    came: list[int] = []

    def note(number: int, _: object) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        console.print("  stopping after this step; press Ctrl-C again to stop at once")

    before: dict[signal.Signals, Any] = {}
    with suppress(ValueError):  # only the main thread receives signals
        for each in (signal.SIGINT, signal.SIGTERM):
            before[each] = signal.signal(each, note)
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
