"""AdamW with a warm-up and a cosine, and with LoRA+ a learning rate of its own for every B."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import InputError

if TYPE_CHECKING:
    import keras

B_VARIABLE = "lora_kernel_b"
"""Keras's name of the variable that holds a layer's B."""


class Schedule(NamedTuple):
    """The learning rate from step to step.

    Attributes:
        highest: after the warm-up.
        warmup_steps: steps over which it rises linearly; at most half of all steps.
        final: share of `highest` that is left at the end of the cosine.
    """

    highest: float
    warmup_steps: int
    final: float


def adamw(
    variables: "Sequence[keras.Variable]",
    schedule: Schedule,
    total_steps: int,
    *,
    weight_decay: float,
    clip_norm: float,
    micro_batches: int = 1,
    ratio: float | None = None,
) -> "keras.optimizers.AdamW":
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), with the learning rate of LoRA+ for B (Hayou et
    al. 2024, arXiv:2402.12354, section 4).

    Args:
        variables: what is trained.
        schedule: of the learning rate.
        total_steps: steps of the training.
        weight_decay: of each variable, multiplied by its learning rate.
        clip_norm: largest global norm of the gradient.
        micro_batches: gradients that are added up for a step.
        ratio: learning rate of B as a multiple of the others'; None: the same for all.

    Raises:
        InputError: a ratio is given, but there is no B.
    """
    import keras

    settings = {
        "learning_rate": _by_steps(schedule, total_steps, micro_batches),
        "weight_decay": weight_decay,
        "global_clipnorm": clip_norm,
        "gradient_accumulation_steps": micro_batches if micro_batches > 1 else None,
    }
    if ratio is None:
        return keras.optimizers.AdamW(**settings)
    if not any(variable.name == B_VARIABLE for variable in variables):
        raise InputError(
            "finetune.lora_plus_ratio: the tuning method trains no A and B; remove the key, or choose a "
            "finetune.method that does"
        )
    return _lora_plus_class()(ratio, **settings)


@cache
def _lora_plus_class() -> Any:
    import keras

    class LoraPlus(keras.optimizers.AdamW):  # type: ignore[misc]
        """AdamW with a multiple of the learning rate for B. Its variables are AdamW's, in the same order."""

        def __init__(self, ratio: float, *, weight_decay: float, **settings: Any) -> None:
            # Keras would decay all variables at the same learning rate.
            super().__init__(weight_decay=0.0, **settings)
            self.ratio, self.decay = ratio, weight_decay

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            # TensorFlow passes its own variables.
            if self._trainable_variables[self._get_variable_index(variable)].name == B_VARIABLE:
                learning_rate = learning_rate * self.ratio
            if self.decay:
                self.assign_sub(variable, variable * (self.decay * learning_rate))
            super().update_step(gradient, variable, learning_rate)

    return LoraPlus


def _by_steps(
    schedule: Schedule, total_steps: int, micro_batches: int
) -> "keras.optimizers.schedules.LearningRateSchedule":
    """A linear warm-up, then a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    import keras

    class BySteps(keras.optimizers.schedules.CosineDecay):  # type: ignore[misc]
        """By the updates: Keras counts the micro-batches."""

        def __call__(self, step: Any) -> Any:
            return super().__call__(step // micro_batches)

    highest, warmup = schedule.highest, min(schedule.warmup_steps, total_steps // 2)
    return BySteps(
        initial_learning_rate=highest / max(warmup, 1) if warmup else highest,
        decay_steps=max(total_steps - warmup, 1),
        alpha=schedule.final,
        warmup_target=highest if warmup else None,
        warmup_steps=warmup,
    )
