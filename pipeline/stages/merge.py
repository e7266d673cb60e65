"""Fold the adapter into the base, write it for Keras and for Hugging Face, and prove that nothing was lost."""

import json

import numpy as np

from pipeline.console import console
from pipeline.data.examples import read_examples
from pipeline.errors import PocketGemmaError
from pipeline.families.family import GemmaShape
from pipeline.families.registry import read_shape
from pipeline.gemma.causal_lm import load_causal_lm, use_backend
from pipeline.gemma.hugging_face import largest_logit_difference, write_hugging_face
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.recipe.schema import Config
from pipeline.run.files import MergeFiles
from pipeline.run.folder import Run
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.devices import choose_compute
from pipeline.tuning.merge import merge, prove_merge

CONVERSATIONS = 4
BEYOND_WINDOW = 32
"""How many tokens more than the sliding window the longest compared sequence has."""


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Write keras/ (a KerasHub preset), huggingface/ and proof.json.

    Raises:
        InputError: the adapter belongs to another base.
        PocketGemmaError: what was written is not base + adapter, or the two forms do not agree.
    """
    settings = config.merge
    with run.stage(
        "merge", settings=settings.model_dump(), after=("download", "prepare", "finetune"), force=force
    ) as work:
        if work.up_to_date:
            return
        preset = run.files.download.preset
        shape = read_shape(preset)
        use_backend(choose_compute(config.finetune.backend, config.finetune.dtype, shape.parameters).backend)
        adapter = Adapter.load(run.files.finetune.adapter)
        if adapter.base_digest != preset_digest(preset):
            raise PocketGemmaError(
                f"{preset}: not the base that the adapter was trained on; run: pocketgemma finetune --force"
            )

        written = MergeFiles(work.folder)
        model = load_causal_lm(preset, with_preprocessor=True)
        merge(model.backbone, adapter)
        model.save_to_preset(str(written.keras))
        del model

        # From here on only what lies in the files counts.
        merged = load_causal_lm(written.keras)
        proof = prove_merge(
            load_causal_lm(preset).backbone, merged.backbone, adapter, settings.max_delta_error
        )
        tokenizer = Tokenizer.of_preset(written.keras)
        write_hugging_face(merged, tokenizer, written.huggingface)
        examples = read_examples(run.files.prepare.train)[:CONVERSATIONS]
        sequences = [
            tokenizer.prompt_ids(example.context) + tokenizer.response_ids(example.response)
            for example in examples
        ]
        difference = largest_logit_difference(
            merged, written.huggingface, [*sequences, _beyond_window(shape)]
        )
        if not difference <= settings.max_logit_difference:
            raise PocketGemmaError(
                f"the Hugging Face folder's logits differ from Keras's by {difference:.1e}, allowed is {settings.max_logit_difference:.0e}"
            )

        written.proof.write_text(
            json.dumps(proof.as_json() | {"largest_logit_difference": difference}, indent=1) + "\n",
            encoding="utf-8",
        )
        work.details.update(
            matrices=len(proof.matrices),
            largest_relative_deviation=proof.largest_deviation,
            other_weights_unchanged=proof.other_weights,
            largest_logit_difference=difference,
        )
        console.print(
            f"  {len(proof.matrices)} matrices are W0 + {adapter.scale:g}·A·B within {proof.largest_deviation:.1e}; "
            f"{proof.other_weights} other weights unchanged to the bit; Keras and Hugging Face logits within {difference:.1e}"
        )


def _beyond_window(shape: GemmaShape) -> list[int]:
    """Random token ids, more than the sliding window holds: there a wrong mask shows."""
    length = (shape.sliding_window or 512) + BEYOND_WINDOW
    return np.random.default_rng(0).integers(0, shape.vocabulary, length).tolist()
