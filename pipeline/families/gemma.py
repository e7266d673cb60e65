"""Gemma 1, of 2B and 7B."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families.computation import Computation
from pipeline.families.decoder import (
    COMMON_CONFIG,
    INPUT_NORM,
    MATRICES,
    read_keras_config,
    read_transformers_config,
    sizes_from_gguf,
    sizes_from_keras,
)
from pipeline.families.family import Family, GgufForm, NormKind
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT

ARCHITECTURE, CLASS = "gemma", "GemmaForCausalLM"

KERAS_CLASS = "GemmaBackbone"
"""KerasHub's class for Gemma 1, Gemma 2 and VaultGemma; only Gemma 2 has norms after feed-forward."""

KERAS_WINDOW = 4096
"""Tokens of a sliding window in a GemmaBackbone that was not told another number; a Gemma 1 has none."""

FFN_DIVISOR = 2
"""This class counts gate and up together (keras_hub GemmaDecoderBlock halves the value)."""

ROPE_BASE = 10_000.0
NORM_EPSILON = 1e-6
"""KerasHub's blocks have this value whatever the backbone's is."""

CONTEXT_LENGTH = 8192
"""Tokens. A KerasHub preset does not store it."""

PRE_FFN_NORM = NormKind("pre_ffw_norm", "post_attention_layernorm", "ffn_norm")
"""Hugging Face names the norm before feed-forward by what is before it."""


def has_post_norms(config: Mapping[str, Any]) -> bool:
    """Whether a GemmaBackbone's `config` has norms after the feed-forward layer: then it is a Gemma 2."""
    return config.get("use_post_ffw_norm") is True


def is_plain(config: Mapping[str, Any]) -> bool:
    """Whether a GemmaBackbone's `config` has neither soft caps nor a sliding window, as a Gemma 1. A
    VaultGemma may use neither, but was told the size of a window."""
    caps = config.get("attention_logit_soft_cap") or config.get("final_logit_soft_cap")
    own_window = config.get("sliding_window_size", KERAS_WINDOW) != KERAS_WINDOW
    return not (caps or own_window or config.get("use_sliding_window_attention"))


def _config(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """config.json; what is not a size is the same in every Gemma 1."""
    return {
        "architectures": [CLASS],
        "model_type": "gemma",
        **COMMON_CONFIG,
        # Older versions of transformers read this key.
        "hidden_act": COMMON_CONFIG["hidden_activation"],
        **sizes,
        "rope_theta": ROPE_BASE,
    }


def _from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    sizes = sizes_from_keras(config, ffn_divisor=FFN_DIVISOR)
    return _config(sizes | {"max_position_embeddings": CONTEXT_LENGTH})


def _from_gguf(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return _config(sizes_from_gguf(path, metadata, ARCHITECTURE))


GEMMA: Family = Family(
    name="gemma",
    keras_class=KERAS_CLASS,
    model_types=("gemma",),
    chat=CHAT,
    matrices=MATRICES,
    norms=(INPUT_NORM, PRE_FFN_NORM),
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA, ffn_divisor=FFN_DIVISOR),
    read_transformers=lambda path, document: read_transformers_config(
        path, document, GEMMA, sliding_window=False
    ),
    computation=Computation(
        ROPE_BASE,
        values={
            "rms_norm_eps": NORM_EPSILON,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
    ),
    text_class=CLASS,
    transformers_config=_from_keras,
    is_variant=lambda config: not has_post_norms(config) and is_plain(config),
    presets={
        name: f"kaggle://keras/gemma/keras/{name}"
        for name in ("gemma_2b_en", "gemma_instruct_2b_en", "gemma_1.1_instruct_2b_en")
    },
    terms=GEMMA_TERMS,
    gguf=GgufForm(ARCHITECTURE, norm_offset=1.0, config=_from_gguf),
)
