"""The training loop: Keras's `fit` on whatever a method left trainable."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import progress_bar
from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.run.files import FinetuneFiles

if TYPE_CHECKING:
    import keras
    import keras_hub


@dataclass(frozen=True)
class TrainingSettings:
    """How to train, whatever the method.

    Attributes:
        epochs: at most; early stopping may end training before.
        batch_size: examples for each step.
        learning_rate: the highest, after the warm-up.
        warmup_steps: steps over which the learning rate rises linearly; at most half of all steps.
        final_learning_rate: share of `learning_rate` that is left at the end of the cosine.
        weight_decay: of AdamW.
        clip_norm: largest global norm of the gradient.
        monitor: what decides which epoch is kept: `loss` or `exact_match` on validation.
        patience: epochs without a better validation result before training stops.
        seed: of the order of the examples.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    final_learning_rate: float
    weight_decay: float
    clip_norm: float
    monitor: str
    patience: int
    seed: int


@dataclass(frozen=True)
class Training:
    """The result of a training. Losses are mean cross-entropies per response token, in nats; exact match is a
    share."""

    steps: int
    epochs: int
    best_epoch: int
    best_validation_loss: float
    best_validation_exact_match: float
    trainable_parameters: int


def fit(
    backbone: "keras_hub.models.Backbone",
    train: EncodedExamples,
    validation: EncodedExamples,
    settings: TrainingSettings,
    files: FinetuneFiles,
) -> Training:
    """Train what is trainable in the backbone, and leave it with the weights of the best epoch.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), linear warm-up, then a cosine (arXiv:1608.03983);
    the gradient's global norm is clipped. Writes history.csv and tensorboard/ into the folder of files.

    Args:
        backbone: with a method attached.
        train: examples to train on.
        validation: examples whose loss decides which epoch is kept.
        settings: how to train.
        files: for the history.

    Raises:
        InputError: there is no validation example.
        PocketGemmaError: training diverged.
    """
    import keras

    from pipeline.tuning.callbacks import KeepBest, ProgressBar, TensorBoardHistory
    from pipeline.tuning.loss import Batches, exact_match_metric, response_model

    if not len(validation):
        raise InputError(
            "there is no validation example, but early stopping needs some; set data.validation or "
            "data.validation_share"
        )
    train_batches = Batches(train, settings.batch_size, settings.seed)
    validation_batches = Batches(validation, settings.batch_size, None)
    total_steps = train_batches.steps * settings.epochs

    model = response_model(backbone)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            learning_rate=_schedule(settings, total_steps),
            weight_decay=settings.weight_decay,
            global_clipnorm=settings.clip_norm,
        ),
        # Divided by the sum of the weights: the mean over response tokens, whatever their number in a batch.
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        weighted_metrics=[exact_match_metric()],
        # PyTorch's compiler takes minutes before the first step, XLA seconds.
        jit_compile=keras.config.backend() != "torch",
    )
    best = KeepBest(settings.monitor, settings.patience)
    with progress_bar() as progress:
        task = progress.add_task("training", total=total_steps, note="")
        history = model.fit(
            train_batches.as_dataset(),
            validation_data=validation_batches.as_dataset(),
            epochs=settings.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[best, TensorBoardHistory(files.tensorboard), ProgressBar(progress, task)],
        )
    _write_history(files.history, history.history)
    return Training(
        steps=train_batches.steps * len(history.epoch),
        epochs=len(history.epoch),
        best_epoch=best.best_epoch,
        best_validation_loss=best.best["loss"],
        best_validation_exact_match=best.best["exact_match"],
        trainable_parameters=sum(math.prod(variable.shape) for variable in model.trainable_variables),
    )


def _schedule(
    settings: TrainingSettings, total_steps: int
) -> "keras.optimizers.schedules.LearningRateSchedule":
    import keras

    warmup = min(settings.warmup_steps, total_steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / max(warmup, 1) if warmup else settings.learning_rate,
        decay_steps=max(total_steps - warmup, 1),
        alpha=settings.final_learning_rate,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _write_history(path: Path, history: dict[str, list[float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        for epoch, values in enumerate(zip(*history.values(), strict=True), 1):
            writer.writerow([epoch, *(f"{value:.6f}" for value in values)])
