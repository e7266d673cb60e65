"""Whether a training diverges although its loss is still a number.

A loss counts as high when it is above a limit that the training itself sets: twice the loss before training,
LEAST nats above it, and NOISES standard deviations of the noise above it, whichever is the highest. The noise
is measured by the differences of successive losses (von Neumann et al. 1941, "The mean square successive
difference"), so that a loss that rises slowly does not raise its own limit. A few high losses are hard
examples; SUSTAINED of them one after the other are a divergence.
"""

import math
from collections.abc import Mapping
from typing import Any

SUSTAINED = 16
"""High losses, one after the other, that stop training."""

NOISES = 4.0
"""Standard deviations. Losses of single examples have a longer tail than a normal distribution."""

LEAST = 1.5
"""Nats: every token 4.5 times less likely. Smaller rises are left to the validation after an epoch."""


class LossWatch:
    """The losses of a training's steps.

    Args:
        untrained: the loss before training, on other examples than those of the first step.

    Attributes:
        untrained: the same, or the loss of the first step if it is higher.
    """

    def __init__(self, untrained: float) -> None:
        self.untrained = untrained
        self._last: float | None = None
        self._squares = 0.0
        self._differences = 0
        self._high: list[float] = []

    @property
    def high(self) -> int:
        """How many of the latest losses, one after the other, are high."""
        return len(self._high)

    @property
    def diverged(self) -> bool:
        """Whether training should stop."""
        return self.high >= SUSTAINED

    @property
    def limit(self) -> float:
        """Above it, the next loss is high."""
        noise = math.sqrt(self._squares / self._differences / 2) if self._differences else 0.0
        return self.untrained + max(self.untrained, LEAST, NOISES * noise)

    def add(self, loss: float) -> None:
        """Note the loss of a step.

        Args:
            loss: mean over the tokens of the step, in nats.
        """
        if self._last is None:
            # Nothing is trained yet, so this is the loss before training, too, of training examples.
            self.untrained = max(self.untrained, loss)
        if loss > self.limit:
            self._high.append(loss)
            return
        # What was high for a few steps only was noise.
        for each in (*self._high, loss):
            if self._last is not None:
                self._squares += (each - self._last) ** 2
                self._differences += 1
            self._last = each
        self._high.clear()

    def refusal(self, steps: int, examples: str, learning_rate: float, kept: str) -> str:
        """Why training stops, and what to do.

        Args:
            steps: the number of the latest step.
            examples: its examples.
            learning_rate: of the recipe.
            kept: where the latest checkpoint is, in words; empty if there is none.
        """
        first = steps - self.high + 1
        again = f"; with the same settings, it continues from {kept}" if kept else ""
        return (
            f"training diverged: in each of the steps {first:,} to {steps:,}, the loss exceeded "
            f"{self.limit:.3g}; in the last one (examples {examples}) it was {self._high[-1]:.3g}, before "
            f"training {self.untrained:.3g}; lower finetune.learning_rate ({learning_rate:g}), or "
            f"finetune.alpha if the recipe sets it: training then starts over{again}"
        )

    def state(self) -> dict[str, Any]:
        """Its state for a checkpoint, in JSON types."""
        return dict(vars(self))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the state of a checkpoint."""
        vars(self).update(state)
