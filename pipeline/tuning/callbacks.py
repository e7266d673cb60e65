"""Callbacks of a training: keep the best epoch, write the history, show progress."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from pipeline.console import console
from pipeline.machine import resident_memory

LINE_SECONDS = 30
"""Time between two lines of progress."""


class Result(NamedTuple):
    """How a model does on some examples: mean cross-entropy per response token, in nats, and the share of
    responses with every token right."""

    loss: float
    exact_match: float

    def __str__(self) -> str:
        return f"a loss of {self.loss:.4g} and {100 * self.exact_match:.1f} % exact match"

    def order(self, monitor: str) -> tuple[float, float]:
        """A sort key by which better results come later.

        Args:
            monitor: `loss`, or `exact_match`, where the loss decides between equals.
        """
        return (self.exact_match if monitor == "exact_match" else 0.0, -self.loss)


class KeepBest(keras.callbacks.Callback):
    """Early stopping that keeps a copy of the trainable variables only, not of the whole model.

    Args:
        monitor: `loss`, or `exact_match`, where the loss decides between equals.
        patience: epochs without a better validation result before training stops.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        super().__init__()
        self.monitor, self.patience = monitor, patience
        self.best_epoch = 0
        self.best: Result | None = None
        self._weights: list[NDArray[Any]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        found = Result(*(float((logs or {})[f"val_{name}"]) for name in Result._fields))
        if self.best is None or found.order(self.monitor) > self.best.order(self.monitor):
            self.best, self.best_epoch = found, epoch + 1
            trained = map(keras.ops.convert_to_numpy, self.model.trainable_variables)
            if self._weights:  # in place: a second copy may be as large as the model
                for kept, values in zip(self._weights, trained, strict=True):
                    np.copyto(kept, values)
            else:
                self._weights = [np.array(values) for values in trained]
        elif self.is_over(epoch + 1):
            self.model.stop_training = True

    def is_over(self, epochs: int) -> bool:
        """Whether patience has run out after so many epochs."""
        return self.best is not None and epochs - self.best_epoch >= self.patience

    def read(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Its state for a checkpoint: the best weights by name, and the other values."""
        tensors = {f"best.{index}": value for index, value in enumerate(self._weights)}
        return tensors, {"best_epoch": self.best_epoch, "best": self.best}

    def restore(self, tensors: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self.best_epoch = facts["best_epoch"]
        self.best = Result(*facts["best"]) if facts["best"] else None
        count = sum(name.startswith("best.") for name in tensors)
        self._weights = [tensors[f"best.{index}"] for index in range(count)]

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        for variable, value in zip(self.model.trainable_variables, self._weights, strict=True):
            variable.assign(value)


class TensorBoardHistory(keras.callbacks.Callback):
    """Loss by step and all values by epoch for TensorBoard, by tensorboardX: Keras's own callback would
    import TensorFlow.

    Args:
        folder: for the event file.
        done: steps before the first.
    """

    def __init__(self, folder: Path, done: int = 0) -> None:
        super().__init__()
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._step = done

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._step += 1
        if self._step % 10 == 0 and logs:
            self._writer.add_scalar("step/loss", float(logs["loss"]), self._step)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self._writer.add_scalar(f"epoch/{name}", float(value), epoch + 1)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._writer.close()


class ProgressLines(keras.callbacks.Callback):
    """Prints a line every LINE_SECONDS, for output that is not a terminal.

    Args:
        total_steps: of all epochs.
        tokens: of all epochs, without padding.
        done: steps before the first.
        clock: seconds.
    """

    def __init__(
        self, total_steps: int, tokens: int, done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._total_steps, self._tokens, self._clock = total_steps, tokens, clock
        self._step = self._done = done

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._started = self._printed = self._clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._step += 1
        now = self._clock()
        if now - self._printed < LINE_SECONDS:
            return
        self._printed = now
        rate = (self._step - self._done) / (now - self._started)
        tokens_per_second = rate * self._tokens / self._total_steps
        left = timedelta(seconds=round((self._total_steps - self._step) / rate))
        console.print(
            f"  step {self._step:,} of {self._total_steps:,}: loss {float((logs or {})['loss']):.3f}, "
            f"{tokens_per_second:.0f} tokens/s, {left} left, {resident_memory() / 1e9:.1f} GB of memory"
        )


class ProgressBar(keras.callbacks.Callback):
    """Advances a rich bar by one for each step and shows the losses.

    Args:
        progress: the display of the bar.
        task: the bar; its total is all steps of all epochs.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress, self._task = progress, task

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.update(self._task, advance=1, note=f"loss {float((logs or {})['loss']):.3f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.show(epoch + 1, logs or {})

    def show(self, epoch: int, results: Mapping[str, float]) -> None:
        """Print the losses of an epoch above the bar; epoch 0 is the model before training."""
        losses = [f"{name} {float(value):.4f}" for name, value in results.items() if name.endswith("loss")]
        self._progress.console.print(f"  epoch {epoch}: " + ", ".join(losses))
