"""Callbacks of a training: keep the best epoch, stop when it diverges, write the history, show progress."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from pipeline.errors import PocketGemmaError


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


class StopDiverged(keras.callbacks.Callback):
    """Ends a training whose loss is no longer a number, at the step at which it is none."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        _refuse_diverged("training", (logs or {}).get("loss"), f"in epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, what in (("loss", "training"), ("val_loss", "validation")):
            _refuse_diverged(what, (logs or {}).get(name), f"after epoch {epoch + 1}")


def _refuse_diverged(what: str, loss: float | None, when: str) -> None:
    if loss is not None and not np.isfinite(float(loss)):
        raise PocketGemmaError(
            f"training diverged: the {what} loss is {float(loss)} {when}; lower finetune.learning_rate, or "
            "finetune.alpha where the recipe sets it"
        )


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
            self._weights = [
                np.array(keras.ops.convert_to_numpy(variable)) for variable in self.model.trainable_variables
            ]
        elif epoch + 1 - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        for variable, value in zip(self.model.trainable_variables, self._weights, strict=True):
            variable.assign(value)


class TensorBoardHistory(keras.callbacks.Callback):
    """Loss by step and all values by epoch for TensorBoard, by tensorboardX: Keras's own callback would
    import TensorFlow.

    Args:
        folder: for the event file.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._step = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._step += 1
        if self._step % 10 == 0 and logs:
            self._writer.add_scalar("step/loss", float(logs["loss"]), self._step)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self._writer.add_scalar(f"epoch/{name}", float(value), epoch + 1)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._writer.close()


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
