"""From pretrained weights to the committed KerasHub preset."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.demo.pretrain import Size, new_model
from pipeline.demo.tokenizer import EOS_ID
from pipeline.errors import PocketGemmaError

if TYPE_CHECKING:
    from keras_hub.models import Gemma3CausalLM
    from transformers import Gemma3ForCausalLM

SEQUENCE_LENGTH = 128
"""Tokens the preset's preprocessor pads to unless told otherwise: the longest conversations of the base's
text."""

COMMITTED = Size()
"""Of the base in `base/`."""

LARGEST_DEVIATION = 1e-4
"""Between the logits of transformers and of KerasHub, float32."""


def _torch_model(weights: Mapping[str, Any], size: Size) -> "Gemma3ForCausalLM":
    model = new_model(size)
    result = model.load_state_dict(dict(weights), strict=False)
    missing = [name for name in result.missing_keys if name != "lm_head.weight"]  # tied to the embedding
    if missing or result.unexpected_keys:
        raise PocketGemmaError(
            f"the weights do not fit the model: missing {missing}, unexpected {result.unexpected_keys}"
        )
    model.tie_weights()
    model.eval()
    return model


def _largest_deviation(reference: "Gemma3ForCausalLM", task: "Gemma3CausalLM") -> float:
    """Largest difference of logits over rows of random tokens, longer than most conversations."""
    import torch
    from keras import ops

    ids = np.random.default_rng(0).integers(EOS_ID + 2, reference.config.vocab_size, (4, 96))
    with torch.no_grad():
        expected = reference(input_ids=torch.from_numpy(ids)).logits.numpy()
    hidden = task.backbone(
        {"token_ids": ids.astype("int32"), "padding_mask": np.ones_like(ids, dtype="int32")}
    )
    logits = ops.convert_to_numpy(task.backbone.token_embedding(hidden, reverse=True))
    return float(np.abs(logits - expected).max())


def write_preset(
    weights: Mapping[str, Any], tokenizer_path: Path, folder: Path, size: Size = COMMITTED
) -> float:
    """Write the base as a KerasHub preset in float32, in one step, and return the largest deviation of its
    logits.

    Args:
        weights: PyTorch tensors by their transformers names.
        tokenizer_path: the SentencePiece model.
        folder: replaced when it exists.
        size: of the model.

    Raises:
        PocketGemmaError: the weights do not fit, or KerasHub computes something else than transformers.
    """
    import keras_hub

    reference = _torch_model(weights, size)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        source, made = Path(scratch) / "hf", Path(scratch) / "preset"
        reference.save_pretrained(source)
        shutil.copyfile(tokenizer_path, source / "tokenizer.model")
        task = keras_hub.models.Gemma3CausalLM.from_preset(str(source), dtype="float32")
        task.preprocessor.sequence_length = SEQUENCE_LENGTH
        task.save_to_preset(str(made))
        reloaded = keras_hub.models.Gemma3CausalLM.from_preset(str(made), dtype="float32")
        deviation = _largest_deviation(reference, reloaded)
        if not deviation <= LARGEST_DEVIATION:
            raise PocketGemmaError(
                f"KerasHub's logits differ from transformers' by {deviation:.2e}, more than "
                f"{LARGEST_DEVIATION:.0e}: "
                "the two libraries disagree on the architecture"
            )
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return deviation
