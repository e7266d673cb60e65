"""Writing a Keras model as a Hugging Face folder that is complete: stop tokens, chat template, tokenizer."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
