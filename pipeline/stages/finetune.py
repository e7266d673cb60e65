"""Train an adapter on the examples, in Keras, with the loss on the responses only."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from pipeline.addresses import source_name
from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.data.general_text import general_text
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.errors import InputError
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_backbone, use_backend
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime_adapters import check_runtime_settings
from pipeline.machine import package_versions
from pipeline.plan.wording import before_training
from pipeline.recipe.schema import Config
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.recipe.workload import workload
from pipeline.run.files import FinetuneFiles
from pipeline.run.folder import Run
from pipeline.run.space import reserved, write_somewhere
from pipeline.tuning.allocation import training_variables
from pipeline.tuning.checkpoints import Checkpoints
from pipeline.tuning.devices import (
    Compute,
    choose_backend,
    choose_compute,
    computes_on_accelerator,
    find_accelerator,
)
from pipeline.tuning.forgetting import in_words, perplexity
from pipeline.tuning.loop import Training, TrainingSettings, fit
from pipeline.tuning.method import Method
from pipeline.tuning.micro_batches import micro_batch_size
from pipeline.tuning.quantized_base import check_base, quantize_base
from pipeline.tuning.registry import METHODS
from pipeline.tuning.rematerialization import rematerialize
from pipeline.tuning.start import Start, find_start, read_start, settings_of, start_from, start_line
from pipeline.tuning.targets import check_targets

FEW_STEPS = 500
"""With fewer training steps, an exact match of zero usually means that training was too short."""

FINGERPRINT = 16
"""Characters of the name of a training's checkpoints."""

COMPUTATION = 4
"""Version of how a step is computed. With another one, a step that continues a checkpoint rounds differently
from the one that would have followed."""

LEAST_IN_MEGABYTES = 100_000
"""Bytes. Fewer are printed in kB."""

ROOM_FOR_HISTORY = 4_000_000
"""Bytes in addition to the adapter: the history of a long training for TensorBoard, and the manifest."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write adapter.safetensors, history.csv and tensorboard/.

    Raises:
        InputError: the preset, the examples or the settings are unusable.
        Interrupted: Ctrl-C or a request to terminate; a checkpoint is kept.
        PocketGemmaError: training diverged or made the model worse, or the disk has no room for the adapter.
    """
    section = config.finetune
    recipe = config.convert.recipe if section.rounds_in_training else ""
    method = METHODS[section.tuning_method]
    settings, start = section.method_settings(recipe), _find_start(section, run)
    if start:
        settings = settings_of(start, method, settings, section.explicit)
        known = asdict(settings).items()
        section = section.model_copy(
            update={key: value for key, value in known if key in FinetuneSection.model_fields}
        )
    determinants = section.determinants | ({"trained_for": recipe} if recipe else {})
    packages = ("keras", "keras-hub", choose_backend(section.backend)[0])
    with run.stage(
        "finetune",
        settings=determinants,
        after=("download", "prepare"),
        inputs=start.files if start else {},
        packages=packages,
        in_one_form=_in_one_form,
        keep=True,
        force=force,
    ) as work:
        if work.up_to_date:
            return
        preset, prepared, written = run.files.download.preset, run.files.prepare, FinetuneFiles(work.folder)
        shape, tokenizer = read_shape(preset), Tokenizer.of_preset(preset)
        base_digest = preset_digest(preset)
        if start:
            started = read_start(start, shape, base_digest)
            console.print(f"  {start_line(start, settings)}")
            determinants = determinants | {
                "start": [run.digests.sha256(path) for path in start.files.values()]
            }
        if method.low_rank:
            check_targets(shape, settings)
            if config.convert.adapters == "runtime":
                check_runtime_settings(shape, settings)
        if section.quantize_base:
            check_base(shape, section.quantize_base)
        train = encode(read_examples(prepared.train), tokenizer)
        # Only the last prompt of a validation example is known not to be in the training data.
        held_out = [example.last_turn_only for example in read_examples(prepared.validation)]
        validation = encode(held_out, tokenizer)
        _check_validation(config, validation)
        compute = choose_compute(section.backend, section.dtype, shape.parameters)
        cost = method.cost(shape, settings)
        console.print(
            f"  Keras on {compute.backend}, {compute.dtype} ({compute.reason}); {method.name}: "
            f"{cost.parameters:,} trainable parameters, adapter of {_size(cost.adapter_bytes)}"
            + (f", learning rate {section.highest_learning_rate:g}" if section.learning_rate is None else "")
        )
        ahead = workload(section, settings, shape, compute.dtype, train, validation)
        accelerator = find_accelerator() is not None
        available = None if accelerator else psutil.virtual_memory().available
        for line in before_training(ahead, available, accelerator=accelerator):
            console.print(f"  {line}")
        room = cost.adapter_bytes + ROOM_FOR_HISTORY
        with reserved(written.folder / "reserved", room) as give_back, training_variables():
            use_backend(compute.backend)
            import keras

            keras.utils.set_random_seed(section.seed)
            backbone = load_backbone(preset, _dtype(method, compute), dropout=section.dropout)
            attachment = method.attach(backbone, settings)
            if start:
                start_from(start, started, attachment)
            if section.quantize_base:
                quantize_base(backbone, section.quantize_base)
            if section.rematerialize:
                rematerialize(backbone)
            training_settings = replace(
                _training_settings(section),
                micro_batch_size=section.micro_batch_size
                or micro_batch_size(
                    train.lengths,
                    section.batch_size,
                    trained_share=cost.parameters / shape.parameters,
                    accelerator=computes_on_accelerator(backbone),
                ),
            )
            checkpoints = Checkpoints(
                run.files.checkpoints,
                fingerprint(
                    determinants | {"micro_batch_size": training_settings.micro_batch_size},
                    packages,
                    compute,
                    base_digest,
                    train,
                    validation,
                ),
                minutes=section.checkpoint_minutes,
                every=section.checkpoint_steps,
            )
            text = general_text(tokenizer)
            before = perplexity(backbone, text)
            training = fit(backbone, train, validation, training_settings, written, checkpoints)
            give_back()
            write_somewhere(method.collect(attachment, base_digest).save, written.adapter)
            after = perplexity(backbone, text)
        work.details.update(
            backend=compute.backend,
            dtype=compute.dtype,
            **(
                {"alpha": settings.alpha, "adapted_matrices": len(attachment.layers)}
                if method.low_rank
                else {"trained_weights": len(attachment.layers)}
            ),
            learning_rate=section.highest_learning_rate,
            micro_batch_size=training_settings.micro_batch_size,
            examples=len(train),
            response_tokens=train.response_tokens,
            **asdict(training),
            general_text={"tokens": text.response_tokens, "before": before, "after": after},
        )
        _print(training)
        console.print(
            f"  perplexity on general text: {in_words(before)} before training, {in_words(after)} after"
        )
    shutil.rmtree(run.files.checkpoints, ignore_errors=True)


def fingerprint(
    settings: Mapping[str, Any],
    packages: Sequence[str],
    compute: Compute,
    base_digest: str,
    train: EncodedExamples,
    validation: EncodedExamples,
) -> str:
    """Of what determines a training: a checkpoint is good for no other one."""
    installed = package_versions()
    versions = {package: installed.get(package) for package in packages}
    determinants = [settings, versions, asdict(compute), base_digest, COMPUTATION]
    digest = hashlib.sha256(json.dumps(determinants).encode())
    for encoded in (train, validation):
        digest.update(f"{len(encoded)} {encoded.pad_id}".encode())
        for example in encoded.examples:
            digest.update(
                f"{len(example)}".encode() + example.token_ids.tobytes() + example.learned.tobytes()
            )
    return digest.hexdigest()[:FINGERPRINT]


def _find_start(section: FinetuneSection, run: Run) -> Start | None:
    """The adapter to start from.

    Raises:
        InputError: there is none, it is damaged, or it is the result that this stage replaces.
    """
    if section.start is None:
        return None
    start = find_start(Path(section.start))
    if start.folder.resolve() == run.files.finetune.folder.resolve():
        raise InputError(
            f"finetune.start: {start}: is the result that this stage replaces; copy it to another folder, or "
            "choose another run folder with --run"
        )
    return start


def _in_one_form(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Recorded settings as the section says them today; settings that it no longer takes stay as they are."""
    known = {key: value for key, value in recorded.items() if key in FinetuneSection.model_fields}
    try:
        return {**recorded, **FinetuneSection.model_validate(known).determinants}
    except ValidationError:
        return recorded


def _size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= LEAST_IN_MEGABYTES else f"{count / 1e3:.1f} kB"


def _dtype(method: Method, compute: Compute) -> str:
    """The Keras dtype policy of a training. Weights of the base that are trained are float32 even where
    products are bfloat16: most updates are smaller than what bfloat16 can tell apart."""
    mixed = compute.dtype != "float32" and not method.low_rank
    return f"mixed_{compute.dtype}" if mixed else compute.dtype


def _check_validation(config: Config, validation: EncodedExamples) -> None:
    """Training without validation is for those who ask for it.

    Raises:
        InputError: there is no validation example, although the recipe wants some.
    """
    data = config.data
    if len(validation) or (data.validation is None and data.validation_share == 0):
        return
    raise InputError(
        f"{source_name(data.validation or data.train)}: leaves no example for validation; add examples, "
        "or set data.validation_share: 0 and remove data.validation to train without validation"
    )


def _print(training: Training) -> None:
    exact_match = training.best_validation_exact_match
    kept = (
        f"without validation, epoch {training.best_epoch} is kept"
        if exact_match is None
        else f"best epoch {training.best_epoch}: {100 * exact_match:.1f} % exact match on validation"
    )
    console.print(
        f"  {training.trainable_parameters:,} trainable parameters, {training.steps:,} steps; {kept}"
    )
    if exact_match == 0 and training.steps < FEW_STEPS:
        console.print(
            f"  warning: no validation response was reproduced after {training.steps} training steps; "
            "raise finetune.epochs, or use more examples",
        )


def _training_settings(section: FinetuneSection) -> TrainingSettings:
    return TrainingSettings(
        epochs=section.epochs,
        batch_size=section.batch_size,
        micro_batch_size=section.micro_batch_size,
        learning_rate=section.highest_learning_rate,
        warmup_steps=section.warmup_steps,
        final_learning_rate=section.final_learning_rate,
        weight_decay=section.weight_decay,
        clip_norm=section.clip_norm,
        monitor=section.monitor,
        patience=section.patience,
        seed=section.seed,
        lora_plus_ratio=section.lora_plus_ratio,
    )
