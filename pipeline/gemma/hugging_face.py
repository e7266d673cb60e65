"""Writing a Keras model as a Hugging Face folder that is complete: stop tokens, chat template, tokenizer."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.console import without_native_chatter
from pipeline.errors import PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer

if TYPE_CHECKING:
    import keras_hub


def write_hugging_face(model: "keras_hub.models.CausalLM", tokenizer: Tokenizer, folder: Path) -> None:
    """Export weights with KerasHub's exporter, and add what it leaves out.

    KerasHub writes <eos> as the only stop token, no chat template, and assumes the tokenizer's IDs.

    Args:
        model: without LoRA: KerasHub would write W0 and silently lose the adapter.
        tokenizer: the preset's.
        folder: created here.

    Raises:
        PocketGemmaError: the model has LoRA enabled.
    """
    if any(getattr(layer, "lora_enabled", False) for layer in model.backbone._flatten_layers()):
        raise PocketGemmaError(
            "the model has LoRA enabled, and an export would lose the adapter; merge it first"
        )
    from keras_hub.src.utils.transformers.export.hf_exporter import export_backbone

    export_backbone(model.backbone, str(folder), include_lm_head=True)
    shutil.copyfile(tokenizer.path, folder / "tokenizer.model")

    eos, end_of_turn = tokenizer.stop_ids
    ids = {"bos_token_id": tokenizer.bos_id, "pad_token_id": tokenizer.pad_id}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _write(folder / "config.json", config | ids | {"eos_token_id": eos, "tie_word_embeddings": True})
    _write(folder / "generation_config.json", ids | {"eos_token_id": [eos, end_of_turn]})
    chat = tokenizer.chat
    tokens = {"bos_token": chat.bos, "eos_token": chat.eos, "unk_token": chat.unk, "pad_token": chat.pad}
    _write(
        folder / "tokenizer_config.json",
        tokens
        | {
            "tokenizer_class": "GemmaTokenizer",
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
            "spaces_between_special_tokens": False,
            "chat_template": chat.template,
        },
    )
    _write(
        folder / "special_tokens_map.json",
        tokens | {"additional_special_tokens": [chat.start_of_turn, chat.end_of_turn]},
    )
    (folder / "chat_template.jinja").write_text(chat.template, encoding="utf-8")


def largest_logit_difference(
    model: "keras_hub.models.CausalLM", folder: Path, sequences: Sequence[Sequence[int]]
) -> float:
    """Largest |logit difference| between a Keras model and a Hugging Face folder, both in float32.

    Args:
        model: the Keras side.
        folder: written by `write_hugging_face`; transformers reads it.
        sequences: token IDs; at least one should be longer than the sliding window, where attention masks
            differ.
    """
    # transformers loads Triton, whose library can crash beside XLA and TensorFlow. Only compiling for a GPU
    # needs it, which does not happen here.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    with without_native_chatter():
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        other = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    from pipeline.gemma.causal_lm import logits_of

    largest = 0.0
    for ids in sequences:
        tokens = np.array([ids], np.int32)
        hidden = model.backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
        ours = _numpy(logits_of(model.backbone, hidden))
        with torch.no_grad():
            theirs = other(input_ids=torch.from_numpy(tokens.astype(np.int64))).logits.numpy()
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _numpy(value: Any) -> NDArray[np.float32]:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value))
