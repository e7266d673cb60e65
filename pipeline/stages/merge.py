"""Merge the adapter into the base, write the result for Keras and for Hugging Face, and prove that both are
correct."""

import gc
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.errors import PocketGemmaError
from pipeline.families.family import GemmaShape
from pipeline.families.registry import read_shape
from pipeline.formats.safetensors import float_tensors
from pipeline.gemma.causal_lm import load_backbone, load_causal_lm, use_backend
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.logit_noise import SequenceNoise, keras_logits, logit_noise, worst_of
from pipeline.gemma.presets import preset_digest, weight_files
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.run.files import MergeFiles
from pipeline.run.folder import Run
from pipeline.run.sources import code_digest
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.load import load_adapter
from pipeline.tuning.merge import MergeProof, merge, prove_merge

PACKAGES = ("keras", "keras-hub", "numpy", "safetensors", "torch", "transformers")
CODE = ("stages/merge.py", "data", "families", "formats", "gemma", "quantization", "tuning")
"""What decides the result besides the recipe and earlier stages: packages by their version, and our own
code."""

COMPARED_EXAMPLES = 4
"""Training examples on which the logits of Keras and Hugging Face are compared."""

BEYOND_WINDOW = 32
"""By how many tokens the longest compared sequence exceeds the sliding window."""

DEFAULT_WINDOW = 512
"""Tokens; for a model without a sliding window."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write keras/ (a KerasHub preset), huggingface/ and proof.json.

    Raises:
        PocketGemmaError: the adapter belongs to another base; the written preset is not the base plus the
            adapter; or the logits of the two forms differ.
    """
    limits = config.merge
    with run.stage(
        "merge",
        settings=limits.model_dump(),
        after=("download", "prepare", "finetune"),
        packages=PACKAGES,
        sources={"pipeline code": code_digest(*CODE)},
        force=force,
    ) as work:
        if work.up_to_date:
            return
        preset, written = run.files.download.preset, MergeFiles(work.folder)
        shape, adapter = read_shape(preset), _load_adapter(run.files.finetune.adapter, preset)
        use_backend(choose_compute(config.finetune.backend, config.finetune.dtype, shape.parameters).backend)
        _write_merged(preset, adapter, written.keras)
        gc.collect()

        # From here on, only the content of the files counts. One model is in memory at a time.
        tokenizer = Tokenizer.of_preset(written.keras)
        sequences = _compared_sequences(run.files.prepare.train, tokenizer, shape)
        ours = _write_hugging_face(written, tokenizer, sequences)
        gc.collect()
        proof = _prove(preset, written.huggingface, adapter, limits.max_delta_error)
        gc.collect()
        noise = logit_noise(ours, written.huggingface, sequences)
        worst = worst_of(noise)
        if not worst.ratio <= limits.max_logit_noise:
            raise _different(worst, limits.max_logit_noise)
        # Measured differences vary a little from run to run. They are in the manifest's details, so that the
        # same merge gives the same files.
        written.proof.write_text(json.dumps(proof.as_json(), indent=1) + "\n", encoding="utf-8")
        changed = "matrices" if adapter.method.low_rank else "weights"
        formula = adapter.method.formula(adapter)
        work.details.update(
            matrices=len(proof.matrices),
            changed=changed,
            formula=formula,
            largest_relative_deviation=proof.largest_deviation,
            other_weights_unchanged=proof.other_weights,
            logit_difference=worst.difference,
            logit_noise=worst.ratio,
            sequences=[asdict(each) for each in noise],
        )
        console.print(
            f"  {len(proof.matrices)} {changed} equal {formula} within "
            f"{proof.largest_deviation:.1e}; "
            f"{proof.other_weights} other weights are bit-identical; Keras and Hugging Face logits differ by "
            f"{worst.difference:.1e}, {worst.ratio:.1f} times the rounding error of float32"
        )


def _different(worst: SequenceNoise, limit: float) -> PocketGemmaError:
    return PocketGemmaError(
        f"the Keras and the Hugging Face folder compute different logits: on {worst.tokens} tokens they "
        f"differ by {worst.difference:.1e}, {worst.ratio:.1f} times the rounding error of float32 "
        f"({worst.rounding:.1e}); merge.max_logit_noise is {limit:g}"
    )


def _load_adapter(path: Path, preset: Path) -> Adapter:
    adapter = load_adapter(path)
    if adapter.base_digest != preset_digest(preset):
        raise PocketGemmaError(
            f"{path}: the adapter was trained on a base other than {preset}; run: pocketgemma "
            "finetune --force"
        )
    return adapter


def _write_merged(preset: Path, adapter: Adapter, folder: Path) -> None:
    """Write the merged model as a KerasHub preset."""
    model = load_causal_lm(preset, with_preprocessor=True)
    merge(model.backbone, adapter)
    model.save_to_preset(str(folder))
    _drop_date(folder / "metadata.json")


def _write_hugging_face(
    written: MergeFiles, tokenizer: Tokenizer, sequences: Sequence[Sequence[int]]
) -> list[NDArray[np.float32]]:
    """Write what the merged preset contains as a Hugging Face folder; returns the preset's logits."""
    merged = load_causal_lm(written.keras)
    write_hugging_face(merged, tokenizer, written.huggingface)
    return keras_logits(merged, sequences)


def _prove(preset: Path, folder: Path, adapter: Adapter, limit: float) -> MergeProof:
    """Compare the base with the Hugging Face folder, whose weights are those that the merged preset has."""
    tensors = {name: tensor for path in weight_files(folder) for name, tensor in float_tensors(path).items()}
    return prove_merge(load_backbone(preset), tensors, adapter, limit)


def _drop_date(metadata: Path) -> None:
    """Keras writes when it saved a preset. Without that, the same merge gives the same bytes, and the stages
    after it stay up to date."""
    document = json.loads(metadata.read_text(encoding="utf-8"))
    document.pop("date_saved", None)
    metadata.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")


def _compared_sequences(train: Path, tokenizer: Tokenizer, shape: GemmaShape) -> list[list[int]]:
    """Token ids of some training examples, and random ones that exceed the sliding window, where a wrong mask
    shows."""
    sequences = [
        tokenizer.prompt_ids(example.context) + tokenizer.response_ids(example.response)
        for example in read_examples(train)[:COMPARED_EXAMPLES]
    ]
    length = (shape.sliding_window or DEFAULT_WINDOW) + BEYOND_WINDOW
    return [*sequences, np.random.default_rng(0).integers(0, shape.vocabulary, length).tolist()]
