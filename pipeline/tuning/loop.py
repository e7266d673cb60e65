"""The training loop, step by step in Keras, on the weights that a method left trainable."""

import csv
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import console, progress_bar
from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import PocketGemmaError
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.allocation import kept_memory
from pipeline.tuning.checkpoints import Checkpoints, stop_requests

if TYPE_CHECKING:
    import keras
    import keras_hub

    from pipeline.tuning.callbacks import Result
    from pipeline.tuning.loss import Batches
    from pipeline.tuning.progress import Progress

COMPARED_WITHOUT_VALIDATION = 64
"""Training examples on which a model is compared with its base where there is no validation example."""

SMALL_DIFFERENCE = 0.01
"""Share of a loss. Rounding to integers, or a few steps in the warmup, move it by less."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train, with any method.

    Attributes:
        epochs: at most; early stopping may end training before.
        batch_size: examples for each step; at most all of them.
        micro_batch_size: at most so many examples of a step are computed at once, and their gradients added
            up; None: all of them.
        learning_rate: the highest, after the warm-up.
        warmup_steps: steps over which the learning rate rises linearly; at most half of all steps.
        final_learning_rate: share of `learning_rate` that is left at the end of the cosine.
        weight_decay: of AdamW.
        clip_norm: largest global norm of the gradient.
        monitor: what decides which epoch is kept: `loss` or `exact_match` on validation.
        patience: epochs without a better validation result before training stops. Without validation
            examples, neither counts: every epoch is trained, and the last one is kept.
        seed: of the order of the examples.
        lora_plus_ratio: learning rate of LoRA's B as a multiple of `learning_rate`; None: the same for all.
    """

    epochs: int
    batch_size: int
    micro_batch_size: int | None
    learning_rate: float
    warmup_steps: int
    final_learning_rate: float
    weight_decay: float
    clip_norm: float
    monitor: str
    patience: int
    seed: int
    lora_plus_ratio: float | None = None


@dataclass(frozen=True)
class Training:
    """The result of a training. Losses are mean cross-entropies per response token, in nats; exact match is a
    share. Those on validation examples are None where there are none. Tokens per second are those of whole
    examples, without padding; the time includes validation, but not what was trained before a checkpoint."""

    steps: int
    epochs: int
    best_epoch: int
    untrained_validation_loss: float | None
    untrained_validation_exact_match: float | None
    best_validation_loss: float | None
    best_validation_exact_match: float | None
    trainable_parameters: int
    tokens_per_second: float


@kept_memory()
def fit(
    backbone: "keras_hub.models.Backbone",
    train: EncodedExamples,
    validation: EncodedExamples,
    settings: TrainingSettings,
    files: FinetuneFiles,
    checkpoints: Checkpoints | None = None,
) -> Training:
    """Train what is trainable in the backbone, and leave it with the weights of the best epoch, or without
    validation examples of the last one.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), linear warm-up, then a cosine (arXiv:1608.03983);
    the gradient's global norm is clipped. Writes history.csv and tensorboard/ into the folder of files.

    Args:
        backbone: with a method attached. On PyTorch its norms are fused, and stay so.
        train: examples to train on.
        validation: examples whose result decides which epoch is kept; may be empty.
        settings: how to train.
        files: for the history.
        checkpoints: training continues from the latest; None: it starts at the beginning and writes none.

    Raises:
        InputError: a learning rate for B is set, but the method trains no B.
        KeyboardInterrupt: training was asked to stop; says where it continues.
        PocketGemmaError: the untrained model computes no number, training diverged, or the trained model is
            worse than the untrained one.
    """
    import keras

    from pipeline.tuning.callbacks import (
        KeepBest,
        ProgressBar,
        ProgressLines,
        Result,
        TensorBoardHistory,
    )
    from pipeline.tuning.fused_norms import fuse_norms
    from pipeline.tuning.loss import Batches, measure, response_model
    from pipeline.tuning.optimizer import Schedule, adamw
    from pipeline.tuning.progress import Progress

    if keras.config.backend() == "torch":
        fuse_norms(backbone)
    rows = min(settings.batch_size, len(train))  # more would be padding
    micro_batches = math.ceil(rows / (settings.micro_batch_size or rows))
    train_batches = Batches(train, rows, settings.seed, micro_batches)
    compared = validation if len(validation) else train.first(COMPARED_WITHOUT_VALIDATION)
    compared_batches = Batches(compared, train_batches.rows, None)
    total_steps = train_batches.steps * settings.epochs
    total_tokens = int(train.lengths.sum()) * settings.epochs
    console.print(
        f"  {train_batches.steps:,} steps in each epoch; {100 * train_batches.padding:.1f} % of the "
        f"positions are padding{_parts_text(micro_batches, train_batches.rows)}"
    )

    model = response_model(backbone)
    model.compile(
        optimizer=adamw(
            model.trainable_variables,
            Schedule(settings.learning_rate, settings.warmup_steps, settings.final_learning_rate),
            total_steps,
            weight_decay=settings.weight_decay,
            clip_norm=settings.clip_norm,
            micro_batches=micro_batches,
            ratio=settings.lora_plus_ratio,
        ),
        # PyTorch's compiler takes minutes before the first step, XLA seconds.
        jit_compile=keras.config.backend() != "torch",
    )

    def result() -> Result:
        return Result(**measure(model, compared_batches))

    kind = "validation" if len(validation) else "training"
    best = KeepBest(settings.monitor, settings.patience) if len(validation) else None
    progress = Progress(model, best, checkpoints)
    resumed = progress.resume()
    if resumed:
        console.print(f"  continues after step {progress.steps:,} of {total_steps:,}")
    else:
        if checkpoints and checkpoints.others():
            console.print(
                f"  {checkpoints.folder.parent}: contains checkpoints from other settings or examples; they "
                "are kept until this training is complete"
            )
        progress.start(result())
        check_untrained(progress.untrained, kind)
    with progress_bar() as display, stop_requests() as asked_to_stop:
        task = display.add_task("training", total=total_steps, completed=progress.steps, note="")
        bar = ProgressBar(display, task)
        if not resumed:
            bar.show(0, {"val_loss" if best else "loss": progress.untrained.loss})
        callbacks = keras.callbacks.CallbackList(
            [
                *([best] if best else []),
                TensorBoardHistory(files.tensorboard, progress.steps),
                bar,
                *([] if console.is_terminal else [ProgressLines(total_steps, total_tokens, progress.steps)]),
            ],
            model=model,
        )
        model.stop_training = bool(best and best.is_over(progress.epoch))
        callbacks.on_train_begin()
        started, resumed_at = time.monotonic(), progress.steps
        try:
            while progress.epoch < settings.epochs and not model.stop_training:
                epoch = progress.epoch
                logs = _train_epoch(model, train_batches, progress, callbacks, settings, asked_to_stop)
                if best:
                    logs |= {f"val_{name}": value for name, value in result()._asdict().items()}
                check_finite(logs, f"after epoch {epoch + 1}")
                callbacks.on_epoch_end(epoch, logs)
                progress.end_epoch(logs)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(progress.next_time) from None
        seconds = time.monotonic() - started
        callbacks.on_train_end()
    trained = best.best if best and best.best else result()
    compare(trained, progress.untrained, settings, kind)
    with suppress(OSError):  # a table for people to read is no reason to lose a training
        _write_history(files.history, progress.history)
    return Training(
        steps=progress.steps,
        epochs=progress.epoch,
        best_epoch=best.best_epoch if best else progress.epoch,
        untrained_validation_loss=progress.untrained.loss if best else None,
        untrained_validation_exact_match=progress.untrained.exact_match if best else None,
        best_validation_loss=trained.loss if best else None,
        best_validation_exact_match=trained.exact_match if best else None,
        trainable_parameters=sum(math.prod(variable.shape) for variable in model.trainable_variables),
        tokens_per_second=(progress.steps - resumed_at) / total_steps * total_tokens / max(seconds, 1e-9),
    )


def _parts_text(micro_batches: int, rows: int) -> str:
    return "" if micro_batches == 1 else f"; each step in {micro_batches} micro-batches of {rows}"


def _train_epoch(
    model: "keras.Model",
    train_batches: "Batches",
    progress: "Progress",
    callbacks: "keras.callbacks.CallbackList",
    settings: TrainingSettings,
    asked_to_stop: Callable[[], bool],
) -> dict[str, float]:
    """Do the steps of an epoch that are left; returns the means over the epoch.

    Raises:
        KeyboardInterrupt: training was asked to stop; a checkpoint is written.
        PocketGemmaError: the loss is not a number, or it stays far above the one before training.
    """
    callbacks.on_epoch_begin(progress.epoch)
    for parts, rows in train_batches.epoch(progress.epoch, progress.step):
        results = [model.train_on_batch(*part, return_dict=True) for part in parts]
        progress.add_step(results, [part.examples for part in parts])
        numbers = ", ".join(str(row + 1) for row in rows)
        check_finite(progress.means, f"at step {progress.steps:,} (examples {numbers})")
        if progress.watch.diverged:
            raise PocketGemmaError(
                progress.watch.refusal(progress.steps, numbers, settings.learning_rate, progress.kept)
            )
        callbacks.on_train_batch_end(progress.step, progress.means)
        stop = asked_to_stop()
        progress.after_step(stop)
        if stop:
            raise KeyboardInterrupt
    return progress.means


def check_untrained(untrained: "Result", examples: str) -> None:
    """Refuse a model that computes no number before it is trained: it would compute none afterwards.

    Args:
        untrained: of the model with the adapter that is to be trained.
        examples: which examples, in a word.

    Raises:
        PocketGemmaError: the loss is not finite.
    """
    if not math.isfinite(untrained.loss):
        raise PocketGemmaError(
            f"the loss on the {examples} examples is {untrained.loss} before any training; check "
            "model.preset, set finetune.dtype: float32, or lower finetune.alpha if the recipe sets it"
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
    console.print(f"  warning: training did not improve the model: {results}")


def check_finite(logs: Mapping[str, float], when: str) -> None:
    """Refuse a loss that is no longer a number.

    Args:
        logs: losses by name; others values may be among them.
        when: in words.

    Raises:
        PocketGemmaError: it is not.
    """
    for name, what in (("loss", "training"), ("val_loss", "validation")):
        loss = logs.get(name, 0.0)
        if not math.isfinite(loss):
            raise PocketGemmaError(
                f"training diverged: the {what} loss is {loss} {when}; lower finetune.learning_rate, or "
                "finetune.alpha if the recipe sets it"
            )


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    names = sorted(history[0])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *names])
        for epoch, values in enumerate(history, 1):
            writer.writerow([epoch, *(f"{values[name]:.6f}" for name in names)])
