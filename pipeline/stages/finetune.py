"""Train an adapter on the examples, in Keras, with the loss on the responses only."""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.data.tokenize import encode
from pipeline.errors import InputError
from pipeline.families.family import Family
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_backbone, use_backend
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.run.files import FinetuneFiles
from pipeline.run.folder import Run
from pipeline.tuning.devices import choose_backend, choose_compute
from pipeline.tuning.loop import TrainingSettings, fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS

FEW_STEPS = 500
"""With fewer training steps, an exact match of zero usually means that training was too short."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write adapter.safetensors, history.csv and tensorboard/.

    Raises:
        InputError: the preset or the examples are unusable.
        PocketGemmaError: training diverged.
    """
    section = config.finetune
    recipe = config.convert.recipe if section.rounds_in_training else ""
    with run.stage(
        "finetune",
        settings=section.model_dump() | ({"trained_for": recipe} if recipe else {}),
        after=("download", "prepare"),
        packages=("keras", "keras-hub", choose_backend(section.backend)[0]),
        defaults=FinetuneSection().model_dump(),
        keep=True,
        force=force,
    ) as work:
        if work.up_to_date:
            return
        preset, prepared, written = run.files.download.preset, run.files.prepare, FinetuneFiles(work.folder)
        shape, tokenizer = read_shape(preset), Tokenizer.of_preset(preset)
        check_targets(shape.family, section.targets)
        train, validation = (
            encode(read_examples(path), tokenizer) for path in (prepared.train, prepared.validation)
        )
        method, settings = METHODS[section.tuning_method], _method_settings(section, recipe)
        compute = choose_compute(section.backend, section.dtype, shape.parameters)
        cost = method.cost(shape, settings)
        console.print(
            f"  Keras on {compute.backend}, {compute.dtype} ({compute.reason}); {method.name}: "
            f"{cost.parameters:,} trainable parameters, adapter of {cost.adapter_bytes / 1e6:.1f} MB"
        )
        use_backend(compute.backend)
        import keras

        keras.utils.set_random_seed(section.seed)
        backbone = load_backbone(preset, compute.dtype, dropout=section.dropout)
        attachment = method.attach(backbone, settings)
        training = fit(backbone, train, validation, _training_settings(section), written)
        method.collect(attachment, preset_digest(preset)).save(written.adapter)
        work.details.update(
            backend=compute.backend,
            dtype=compute.dtype,
            alpha=settings.alpha,
            adapted_matrices=len(attachment.layers),
            examples=len(train),
            response_tokens=train.response_tokens,
            **asdict(training),
        )
        console.print(
            f"  {training.trainable_parameters:,} trainable parameters, {training.steps:,} steps; "
            f"best epoch {training.best_epoch}: {100 * training.best_validation_exact_match:.1f} % exact "
            "match on validation"
        )
        if training.best_validation_exact_match == 0 and training.steps < FEW_STEPS:
            console.print(
                f"  warning: no validation response was reproduced, after {training.steps} training steps; "
                "raise finetune.epochs, or use more examples",
            )


def check_targets(family: Family, targets: Sequence[str]) -> None:
    """Check that a family's layers have the matrices that get an adapter.

    Raises:
        InputError: they lack one; names those that they have.
    """
    known = [matrix.name for matrix in family.matrices]
    unknown = [target for target in targets if target not in known]
    if unknown:
        raise InputError(
            f"finetune.targets: {', '.join(unknown)}: not in a layer of {family.name}; it has "
            f"{', '.join(known)}"
        )


def _method_settings(section: FinetuneSection, recipe: str) -> MethodSettings:
    alpha = section.alpha if section.alpha is not None else section.rank
    return MethodSettings(section.rank, float(alpha), section.targets, recipe)


def _training_settings(section: FinetuneSection) -> TrainingSettings:
    return TrainingSettings(
        epochs=section.epochs,
        batch_size=section.batch_size,
        learning_rate=section.learning_rate,
        warmup_steps=section.warmup_steps,
        final_learning_rate=section.final_learning_rate,
        weight_decay=section.weight_decay,
        clip_norm=section.clip_norm,
        monitor=section.monitor,
        patience=section.patience,
        seed=section.seed,
    )
