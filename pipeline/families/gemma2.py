"""Gemma 2, of 2B and 9B."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families.computation import Computation
from pipeline.families.config import positive
from pipeline.families.decoder import (
    COMMON_CONFIG,
    INPUT_NORM,
    MATRICES,
    POST_ATTENTION_NORM,
    POST_FFN_NORM,
    PRE_FFN_NORM,
    query_scalar,
    read_keras_config,
    read_transformers_config,
    sizes_from_gguf,
    sizes_from_keras,
)
from pipeline.families.family import Family, GgufForm
from pipeline.families.gemma import (
    CONTEXT_LENGTH,
    FFN_DIVISOR,
    KERAS_CLASS,
    NORM_EPSILON,
    ROPE_BASE,
    has_post_norms,
)
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT

ARCHITECTURE, CLASS = "gemma2", "Gemma2ForCausalLM"

ATTENTION_CAP, LOGIT_CAP = 50.0, 30.0
"""Soft caps of attention and vocabulary logits (Gemma 2 technical report, section 2), for GGUF files that do
not store them."""

GLOBAL_EVERY = 2
"""Every other layer is local, beginning with the first (technical report, section 2)."""

LAYERS_OF_27B = 46


def _config(
    sizes: Mapping[str, Any],
    *,
    sliding_window: int,
    query_pre_attn_scalar: int,
    attention_cap: float | None,
    logit_cap: float | None,
) -> dict[str, Any]:
    """config.json; what is not an argument is the same in every Gemma 2."""
    return {
        "architectures": [CLASS],
        "model_type": "gemma2",
        **COMMON_CONFIG,
        **sizes,
        "query_pre_attn_scalar": query_pre_attn_scalar,
        "sliding_window": sliding_window,
        "layer_types": [
            "sliding_attention" if (layer + 1) % GLOBAL_EVERY else "full_attention"
            for layer in range(sizes["num_hidden_layers"])
        ],
        "attn_logit_softcapping": attention_cap,
        "final_logit_softcapping": logit_cap,
        "rope_theta": ROPE_BASE,
    }


def from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    """config.json of a GemmaBackbone with this `config`."""
    sizes = sizes_from_keras(config, ffn_divisor=FFN_DIVISOR)
    return _config(
        sizes | {"max_position_embeddings": CONTEXT_LENGTH},
        sliding_window=config["sliding_window_size"],
        query_pre_attn_scalar=sizes["head_dim"],
        attention_cap=config["attention_logit_soft_cap"],
        logit_cap=config["final_logit_soft_cap"],
    )


def _from_gguf(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    sizes = sizes_from_gguf(path, metadata, ARCHITECTURE)
    return _config(
        sizes,
        sliding_window=positive(path, metadata, f"{ARCHITECTURE}.attention.sliding_window"),
        query_pre_attn_scalar=query_scalar(sizes, LAYERS_OF_27B),
        attention_cap=metadata.get(f"{ARCHITECTURE}.attn_logit_softcapping", ATTENTION_CAP),
        logit_cap=metadata.get(f"{ARCHITECTURE}.final_logit_softcapping", LOGIT_CAP),
    )


GEMMA2: Family = Family(
    name="gemma2",
    caps_scores=True,
    keras_class=KERAS_CLASS,
    model_types=("gemma2",),
    chat=CHAT,
    matrices=MATRICES,
    norms=(INPUT_NORM, POST_ATTENTION_NORM, PRE_FFN_NORM, POST_FFN_NORM),
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA2, ffn_divisor=FFN_DIVISOR),
    read_transformers=lambda path, document: read_transformers_config(path, document, GEMMA2),
    # KerasHub 0.32 divides by the width of a head whatever query_head_dim_normalize says, which is not right
    # for the 27B.
    computation=Computation(
        ROPE_BASE, values={"rms_norm_eps": NORM_EPSILON}, global_every=GLOBAL_EVERY, query_scalar=True
    ),
    text_class=CLASS,
    transformers_config=from_keras,
    is_variant=has_post_norms,
    presets={
        name: f"kaggle://keras/gemma2/keras/{name}" for name in ("gemma2_2b_en", "gemma2_instruct_2b_en")
    },
    terms=GEMMA_TERMS,
    gguf=GgufForm(ARCHITECTURE, norm_offset=1.0, config=_from_gguf),
)
