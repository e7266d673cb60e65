"""Tiny text models of every Gemma family with random weights."""

import json
from pathlib import Path
from typing import Any

from pipeline.families.turns import CHAT
from tests.support.tokenizers import make_tokenizer

FAMILIES = ("gemma", "gemma2", "vaultgemma", "gemma3", "gemma3n", "gemma4")
LAYERS, SHARED_LAYERS = 4, 2
"""Of Gemma 3n and 4, the last layers take keys and values from earlier ones."""


def tiny_model(family: str, vocabulary: int = 400) -> Any:
    """A transformers causal language model in float32, ready to be asked."""
    import torch
    import transformers

    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": 1024,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 1,
    }
    windows = {"sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"] * 2}
    per_layer = {
        "num_kv_shared_layers": SHARED_LAYERS,
        "hidden_size_per_layer_input": 16,
        "vocab_size_per_layer_input": vocabulary,
    }
    of_family: dict[str, dict[str, Any]] = {
        "gemma": {},
        "gemma2": {"sliding_window": 24, "query_pre_attn_scalar": 32},
        "vaultgemma": {"sliding_window": 24, "query_pre_attn_scalar": 32},
        "gemma3": windows,
        "gemma3n": windows
        | per_layer
        | {
            "intermediate_size": [128] * LAYERS,
            "laurel_rank": 8,
            "activation_sparsity_pattern": [0.0] * LAYERS,
        },
        "gemma4": windows | per_layer | {"global_head_dim": 64},
    }
    settings |= of_family[family]
    text = "" if family in ("gemma", "gemma2", "vaultgemma") else "_text"
    config = transformers.AutoConfig.for_model(family + text, **settings)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.data.normal_(0, 0.08)
    model.set_attn_implementation("eager")
    return model.eval()


def write_family(family: str, folder: Path) -> Path:
    """A Hugging Face folder that converts."""
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer(folder)
    model = tiny_model(family, tokenizer.vocabulary_size)
    model.generation_config.eos_token_id = list(tokenizer.stop_ids)
    model.save_pretrained(folder)
    settings = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False}
    settings |= {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT.template, encoding="utf-8")
    return folder
