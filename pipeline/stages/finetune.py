"""Teach the examples to an adapter: LoRA in Keras, loss on the responses only."""

from dataclasses import asdict

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.data.tokenize import encode
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_backbone, use_backend
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.run.files import FinetuneFiles
from pipeline.run.folder import Run
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.loop import TrainingSettings, fit
from pipeline.tuning.lora import enable_lora
from pipeline.tuning.quantization_aware import enable_rounding


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write adapter.safetensors, history.csv and tensorboard/.

    Raises:
        InputError: the preset or the examples are unusable.
        PocketGemmaError: training diverged.
    """
    settings = config.finetune
    recipe = config.convert.recipe if settings.quantization_aware else ""
    with run.stage(
        "finetune",
        settings=settings.model_dump() | ({"trained_for": recipe} if recipe else {}),
        after=("download", "prepare"),
        force=force,
    ) as work:
        if work.up_to_date:
            return
        preset = run.files.download.preset
        tokenizer = Tokenizer.of_preset(preset)
        train = encode(read_examples(run.files.prepare.train), tokenizer)
        validation = encode(read_examples(run.files.prepare.validation), tokenizer)

        compute = choose_compute(settings.backend, settings.dtype, read_shape(preset).parameters)
        console.print(f"  Keras on {compute.backend}, {compute.dtype}: {compute.reason}")
        use_backend(compute.backend)
        import keras

        keras.utils.set_random_seed(settings.seed)
        backbone = load_backbone(preset, compute.dtype, dropout=settings.dropout)
        alpha = float(settings.alpha if settings.alpha is not None else settings.rank)
        layers = enable_lora(backbone, settings.rank, alpha, settings.targets)
        scales = enable_rounding(backbone, layers, SCHEMES[recipe]) if recipe else {}
        written = FinetuneFiles(work.folder)
        training = fit(backbone, train, validation, _training_settings(settings), written)

        adapter = Adapter.of_backbone(backbone, layers, preset_digest(preset), recipe, scales)
        adapter.save(written.adapter)
        work.details.update(
            backend=compute.backend,
            dtype=compute.dtype,
            alpha=alpha,
            adapted_matrices=len(layers),
            examples=len(train),
            response_tokens=train.response_tokens,
            **asdict(training),
        )
        console.print(
            f"  {training.trainable_parameters:,} trained numbers, {training.steps:,} steps; "
            f"best epoch {training.best_epoch}, {training.best_validation_exact_match:.1%} of validation exact"
        )


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
