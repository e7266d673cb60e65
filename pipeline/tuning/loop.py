"""The training loop: Keras's `fit` on whatever a method left trainable."""

import csv
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import console, progress_bar
from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import PocketGemmaError
from pipeline.run.files import FinetuneFiles

if TYPE_CHECKING:
    import keras
    import keras_hub

    from pipeline.tuning.callbacks import Result

COMPARED_WITHOUT_VALIDATION = 64
"""Training examples on which a model is compared with its base where there is no validation example."""

SMALL_DIFFERENCE = 0.01
"""Share of a loss. Rounding to integers, or a few steps in the warmup, move it by less."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train, whatever the method.

    Attributes:
        epochs: at most; early stopping may end training before.
        batch_size: examples for each step; at most all of them.
        learning_rate: the highest, after the warm-up.
        warmup_steps: steps over which the learning rate rises linearly; at most half of all steps.
        final_learning_rate: share of `learning_rate` that is left at the end of the cosine.
        weight_decay: of AdamW.
        clip_norm: largest global norm of the gradient.
        monitor: what decides which epoch is kept: `loss` or `exact_match` on validation.
        patience: epochs without a better validation result before training stops. Without validation
            examples, neither counts: every epoch is trained, and the last one is kept.
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
    share. Those on validation examples are None where there are none."""

    steps: int
    epochs: int
    best_epoch: int
    untrained_validation_loss: float | None
    best_validation_loss: float | None
    best_validation_exact_match: float | None
    trainable_parameters: int


def fit(
    backbone: "keras_hub.models.Backbone",
    train: EncodedExamples,
    validation: EncodedExamples,
    settings: TrainingSettings,
    files: FinetuneFiles,
) -> Training:
    """Train what is trainable in the backbone, and leave it with the weights of the best epoch, or without
    validation examples of the last one.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), linear warm-up, then a cosine (arXiv:1608.03983);
    the gradient's global norm is clipped. Writes history.csv and tensorboard/ into the folder of files.

    Args:
        backbone: with a method attached.
        train: examples to train on.
        validation: examples whose result decides which epoch is kept; may be empty.
        settings: how to train.
        files: for the history.

    Raises:
        PocketGemmaError: the untrained model computes no number, training diverged, or the trained model is
            worse than the untrained one.
    """
    import keras

    from pipeline.tuning.callbacks import KeepBest, ProgressBar, Result, StopDiverged, TensorBoardHistory
    from pipeline.tuning.loss import Batches, exact_match_metric, response_model

    rows = min(settings.batch_size, len(train))  # more would be padding
    train_batches = Batches(train, rows, settings.seed)
    compared = validation if len(validation) else train.first(COMPARED_WITHOUT_VALIDATION)
    compared_batches = Batches(compared, rows, None)
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

    def measure() -> Result:
        found = model.evaluate(compared_batches.as_dataset(), verbose=0, return_dict=True)
        return Result(*(float(found[name]) for name in Result._fields))

    kind = "validation" if len(validation) else "training"
    untrained = measure()
    check_untrained(untrained, kind)
    best = KeepBest(settings.monitor, settings.patience) if len(validation) else None
    with progress_bar() as progress:
        task = progress.add_task("training", total=total_steps, note="")
        bar = ProgressBar(progress, task)
        bar.show(0, {"val_loss" if best else "loss": untrained.loss})
        history = model.fit(
            train_batches.as_dataset(),
            validation_data=compared_batches.as_dataset() if best else None,
            epochs=settings.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[
                StopDiverged(),
                *([best] if best else []),
                TensorBoardHistory(files.tensorboard),
                bar,
            ],
        )
    trained = best.best if best and best.best else measure()
    compare(trained, untrained, settings, kind)
    with suppress(OSError):  # a table for people to read is no reason to lose a training
        _write_history(files.history, history.history)
    return Training(
        steps=train_batches.steps * len(history.epoch),
        epochs=len(history.epoch),
        best_epoch=best.best_epoch if best else len(history.epoch),
        untrained_validation_loss=untrained.loss if best else None,
        best_validation_loss=trained.loss if best else None,
        best_validation_exact_match=trained.exact_match if best else None,
        trainable_parameters=sum(math.prod(variable.shape) for variable in model.trainable_variables),
    )


def check_untrained(untrained: "Result", examples: str) -> None:
    """Refuse a model that computes no number before it is trained: it would compute none afterwards. The
    product of A and B is 0 then, so only the base or an infinite scale can be the cause.

    Args:
        untrained: of the model with the adapter that is to be trained.
        examples: which examples, in a word.

    Raises:
        PocketGemmaError: the loss is not finite.
    """
    if not math.isfinite(untrained.loss):
        raise PocketGemmaError(
            f"the loss on the {examples} examples is {untrained.loss} before any training; check "
            "model.preset, set finetune.dtype: float32, or lower finetune.alpha"
        )


def compare(trained: "Result", untrained: "Result", settings: TrainingSettings, examples: str) -> None:
    """Refuse a training after which the model does worse than before, and mention one that changed nothing
    for the better.

    Args:
        trained: of the epoch that is kept.
        untrained: of the model before training, on the same examples.
        settings: how the model was trained.
        examples: which examples, in a word.

    Raises:
        PocketGemmaError: the model does worse, or its loss is not a number.
    """
    improved = trained.order(settings.monitor) >= untrained.order(settings.monitor)
    if improved and math.isfinite(trained.loss):
        return
    results = f"on the {examples} examples it has {trained}, before training {untrained}"
    if not trained.loss <= (1 + SMALL_DIFFERENCE) * untrained.loss:
        raise PocketGemmaError(
            f"training made the model worse: {results}; lower finetune.learning_rate "
            f"({settings.learning_rate:g})"
        )
    console.print(f"  warning: training did not make the model better: {results}")


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
