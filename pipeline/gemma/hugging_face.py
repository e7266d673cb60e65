"""Writing a Keras model as a Hugging Face folder that is complete: weights, configuration, stop tokens, chat
template, tokenizer."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PocketGemmaError
from pipeline.families.registry import family_of_class
from pipeline.formats.safetensors import write_float32
from pipeline.gemma.causal_lm import shape_of
from pipeline.gemma.keras_weights import keras_weights
from pipeline.gemma.tokenizer import Tokenizer

if TYPE_CHECKING:
    import keras_hub


def write_hugging_face(model: "keras_hub.models.CausalLM", tokenizer: Tokenizer, folder: Path) -> None:
    """Write a model as a Hugging Face folder in float32.

    KerasHub has an exporter for some families. It writes <eos> as the only stop token and no chat template,
    assumes the tokenizer's ids, and keeps one of several key and value heads of a Gemma 1.

    Args:
        model: without LoRA: an export would hold W0 and silently lose the adapter.
        tokenizer: the preset's.
        folder: created here.

    Raises:
        PocketGemmaError: the model has LoRA enabled, or lacks a weight of its family or has others.
    """
    backbone = model.backbone
    if any(getattr(layer, "lora_enabled", False) for layer in backbone._flatten_layers()):
        raise PocketGemmaError(
            "the model has LoRA enabled, and an export would lose the adapter; merge it first"
        )
    family = family_of_class(type(backbone).__name__, backbone.get_config())
    if family is None or family.transformers_config is None:
        raise PocketGemmaError(f"{type(backbone).__name__} cannot be written as a Hugging Face folder")
    try:
        tensors = {weight.tensor: weight for weight in keras_weights(backbone, shape_of(backbone))}
    except KeyError as error:
        raise PocketGemmaError(f"layer {error} of {family.name} is missing from the model") from None
    if len(tensors) != len(backbone.weights):
        raise PocketGemmaError(
            f"the model has {len(backbone.weights)} weights, {family.name} has {len(tensors)}; an export "
            "would lose the others"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_float32(tensors, folder / "model.safetensors")
    shutil.copyfile(tokenizer.path, folder / "tokenizer.model")

    eos, end_of_turn = tokenizer.stop_ids
    ids = {"bos_token_id": tokenizer.bos_id, "pad_token_id": tokenizer.pad_id}
    config = family.transformers_config(backbone.get_config())
    _write(folder / "config.json", config | ids | {"eos_token_id": eos, "dtype": "float32"})
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


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
