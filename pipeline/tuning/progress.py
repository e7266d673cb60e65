"""How far a training has come, and its checkpoints."""

from collections.abc import Mapping, Sequence
from operator import mul
from typing import TYPE_CHECKING, Any

from pipeline.tuning.callbacks import KeepBest, Result
from pipeline.tuning.checkpoints import Checkpoint, Checkpoints
from pipeline.tuning.divergence import LossWatch
from pipeline.tuning.training_state import read_state, write_state

if TYPE_CHECKING:
    import keras


class Progress:
    """The position of a training and what it has found so far.

    Args:
        model: compiled.
        best: keeps the best epoch; None without validation.
        checkpoints: of this training, or None.

    Attributes:
        epoch: epochs that are complete.
        step: steps of the next epoch that are complete.
        steps: steps of all epochs that are complete.
        history: the values of each complete epoch by name.
        sums: over the steps of the next epoch, by name.
        untrained: how the model did before training.
        watch: the losses of all steps.
    """

    def __init__(self, model: "keras.Model", best: KeepBest | None, checkpoints: Checkpoints | None) -> None:
        self.epoch = self.step = self.steps = 0
        self.history: list[Mapping[str, float]] = []
        self.sums: dict[str, float] = {}
        self.start(Result(float("nan"), 0.0))
        self._saved = 0
        self._model, self._best, self._checkpoints = model, best, checkpoints

    def start(self, untrained: Result) -> None:
        """Note how the model does before training."""
        self.untrained, self.watch = untrained, LossWatch(untrained.loss)

    def resume(self) -> bool:
        """Go to the latest checkpoint; returns whether there is one."""
        found = self._checkpoints.latest() if self._checkpoints else None
        if found is None:
            return False
        write_state(self._model, found.tensors)
        if self._best:
            self._best.restore(found.tensors, found.facts)
        self.epoch, self.step, self.steps = found.epoch, found.step, found.steps
        self._saved = found.steps
        self.history, self.sums = list(found.facts["history"]), dict(found.facts["sums"])
        self.start(Result(*found.facts["untrained"]))
        self.watch.restore(found.facts["watch"])
        return True

    @property
    def means(self) -> dict[str, float]:
        """The means over the steps of the next epoch, by name."""
        return {name: total / self.step for name, total in self.sums.items()}

    def add_step(self, parts: Sequence[Mapping[str, float]], examples: Sequence[int]) -> None:
        """Note a step.

        Args:
            parts: the values of its micro-batches by name. The loss of each is already its share of the mean.
            examples: how many examples each has.
        """
        self.step += 1
        self.steps += 1
        for name in parts[0]:
            weights = [1] * len(parts) if name == "loss" else examples
            values = [float(part[name]) for part in parts]
            mean = sum(map(mul, values, weights)) / sum(weights)
            self.sums[name] = self.sums.get(name, 0.0) + mean
            if name == "loss":
                self.watch.add(mean)

    def after_step(self, stopping: bool) -> None:
        """Write a checkpoint if one is due, or if training stops here; none while the losses are high."""
        if self._checkpoints and (stopping or self._checkpoints.is_due(self.steps)):
            self._save(self._checkpoints)

    def end_epoch(self, logs: Mapping[str, float]) -> None:
        """Note an epoch, and write a checkpoint."""
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}
        self.history.append(logs)
        if self._checkpoints:
            self._save(self._checkpoints)

    @property
    def next_time(self) -> str:
        """What training does the next time if it stops now; empty if it starts over."""
        return f"continues after step {self._saved:,}" if self._saved else ""

    @property
    def kept(self) -> str:
        """The latest checkpoint in words; empty if there is none."""
        return (
            f"{self._checkpoints.folder}, after step {self._saved:,}"
            if self._checkpoints and self._saved
            else ""
        )

    def _save(self, checkpoints: Checkpoints) -> None:
        # While the losses are high, training may have diverged: the checkpoint before is the good one.
        if not self.watch.high and checkpoints.save(self._checkpoint()):
            self._saved = self.steps

    def _checkpoint(self) -> Checkpoint:
        tensors: dict[str, Any] = read_state(self._model)
        facts: dict[str, Any] = {"history": self.history, "sums": self.sums, "untrained": self.untrained}
        facts["watch"] = self.watch.state()
        if self._best:
            best_tensors, best_facts = self._best.read()
            tensors |= best_tensors
            facts |= best_facts
        return Checkpoint(self.epoch, self.step, self.steps, tensors, facts)
