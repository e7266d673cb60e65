"""VaultGemma, of 1B: a Gemma 2 without norms after attention and feed-forward.

The published model uses neither soft caps nor sliding windows; a model that uses them is read, too. It is
pretrained only. As for other pretrained Gemmas, fine-tuning teaches it the chat format of its tokenizer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.families.computation import Computation
from pipeline.families.decoder import (
    INPUT_NORM,
    MATRICES,
    PRE_FFN_NORM,
    read_keras_config,
    read_transformers_config,
    sizes_for_keras,
)
from pipeline.families.family import Family, GemmaShape
from pipeline.families.gemma import (
    FFN_DIVISOR,
    KERAS_CLASS,
    KERAS_WINDOW,
    NORM_EPSILON,
    ROPE_BASE,
    has_post_norms,
    is_plain,
)
from pipeline.families.gemma2 import GLOBAL_EVERY, from_keras
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT

MODEL_TYPE, CLASS = "vaultgemma", "VaultGemmaForCausalLM"

CONTEXT_LENGTH = 1024
"""Tokens that it was trained on at a time. A KerasHub preset does not store it."""

CAPS = ("attn_logit_softcapping", "final_logit_softcapping")
"""Keys of the soft caps. transformers would take Gemma 2's where a configuration has no such key."""


def _has_windows(text: Mapping[str, Any]) -> bool:
    """Whether layers have a sliding window; every other one if the configuration does not list them."""
    kinds = text.get("layer_types")
    return not (isinstance(kinds, list) and kinds) or "sliding_attention" in kinds


def _read_transformers(path: Path, document: dict[str, Any]) -> GemmaShape:
    missing = next((key for key in CAPS if key not in document), None)
    if missing:
        raise InputError(f"{path}: {missing} is missing, expected a number or null")
    return read_transformers_config(path, document, VAULTGEMMA, sliding_window=_has_windows(document))


def _for_keras(text: Mapping[str, Any]) -> dict[str, Any]:
    attention_cap, logit_cap = (text[key] for key in CAPS)
    return {
        **sizes_for_keras({"rms_norm_eps": NORM_EPSILON, **text}, ffn_divisor=FFN_DIVISOR),
        "attention_logit_soft_cap": attention_cap,
        "final_logit_soft_cap": logit_cap,
        "use_sliding_window_attention": _has_windows(text),
        "sliding_window_size": text.get("sliding_window") or KERAS_WINDOW,
    }


def _from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    found = from_keras(config) | {
        "architectures": [CLASS],
        "model_type": MODEL_TYPE,
        "max_position_embeddings": CONTEXT_LENGTH,
    }
    if not config["use_sliding_window_attention"]:
        found["layer_types"] = ["full_attention"] * found["num_hidden_layers"]
    return found


VAULTGEMMA: Family = Family(
    name="vaultgemma",
    keras_class=KERAS_CLASS,
    model_types=(MODEL_TYPE,),
    chat=CHAT,
    matrices=MATRICES,
    norms=(INPUT_NORM, PRE_FFN_NORM),
    read_keras=lambda path, config: read_keras_config(path, config, VAULTGEMMA, ffn_divisor=FFN_DIVISOR),
    read_transformers=_read_transformers,
    computation=Computation(
        ROPE_BASE,
        values={"rms_norm_eps": NORM_EPSILON},
        global_every=GLOBAL_EVERY,
        may_be_global=True,
        query_scalar=True,
    ),
    # KerasHub 0.32 has presets of it, but does not read its Hugging Face folders.
    keras_config=_for_keras,
    text_class=CLASS,
    transformers_config=_from_keras,
    is_variant=lambda config: not has_post_norms(config) and not is_plain(config),
    presets={"vault_gemma_1b_en": "kaggle://keras/vaultgemma/keras/vault_gemma_1b_en"},
    terms=GEMMA_TERMS,
)
