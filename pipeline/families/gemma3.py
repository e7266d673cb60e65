"""Gemma 3: everything about the family. Its text models of 270M, 1B and 4B go through the whole pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families.computation import Computation
from pipeline.families.config import number, positive
from pipeline.families.decoder import (
    COMMON_CONFIG,
    INPUT_NORM,
    KEY_NORM,
    MATRICES,
    POST_ATTENTION_NORM,
    POST_FFN_NORM,
    PRE_FFN_NORM,
    QUERY_NORM,
    query_scalar,
    read_keras_config,
    read_transformers_config,
    sizes_from_gguf,
    sizes_from_keras,
)
from pipeline.families.family import Family, GgufForm
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT

ARCHITECTURE, CLASS = "gemma3", "Gemma3ForCausalLM"

LOCAL_ROPE_BASE, GLOBAL_ROPE_BASE = 10_000.0, 1_000_000.0
"""RoPE base of layers with and without a sliding window (Gemma 3 technical report, section 2)."""

GLOBAL_EVERY = 6
"""One layer in this many sees the whole context: five local layers, then a global one."""

LAYERS_OF_27B = 62

MULTIMODAL_DEFAULTS = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
}
"""Multimodal configurations leave out what equals the defaults of Hugging Face's Gemma3TextConfig."""


def _config(
    sizes: Mapping[str, Any],
    *,
    sliding_window: int,
    query_pre_attn_scalar: int,
    local_layers: bool = True,
    global_rope_base: float = GLOBAL_ROPE_BASE,
    global_factor: float = 1.0,
    local_factor: float = 1.0,
    attention_cap: float | None = None,
    logit_cap: float | None = None,
) -> dict[str, Any]:
    """config.json of a text model; what is not an argument is the same in every Gemma 3.

    Older versions of transformers read rope_theta and rope_local_base_freq, newer ones rope_parameters.
    """
    return {
        "architectures": [CLASS],
        "model_type": "gemma3_text",
        **COMMON_CONFIG,
        **sizes,
        "query_pre_attn_scalar": query_pre_attn_scalar,
        "sliding_window": sliding_window,
        "layer_types": [
            "sliding_attention" if local_layers and (layer + 1) % GLOBAL_EVERY else "full_attention"
            for layer in range(sizes["num_hidden_layers"])
        ],
        "rope_theta": global_rope_base,
        "rope_local_base_freq": LOCAL_ROPE_BASE,
        "rope_parameters": {
            "full_attention": _rope(global_rope_base, global_factor),
            "sliding_attention": _rope(LOCAL_ROPE_BASE, local_factor),
        },
        "attn_logit_softcapping": attention_cap,
        "final_logit_softcapping": logit_cap,
        "use_bidirectional_attention": False,
    }


def _rope(base: float, factor: float) -> dict[str, Any]:
    return {"rope_type": "linear", "rope_theta": base, "factor": factor}


def _from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    sizes = sizes_from_keras(config)
    per_head = config["query_head_dim_normalize"]
    scalar = sizes["head_dim"] if per_head else sizes["hidden_size"] // sizes["num_attention_heads"]
    return _config(
        sizes,
        sliding_window=config["sliding_window_size"],
        local_layers=config["use_sliding_window_attention"],
        query_pre_attn_scalar=scalar,
        global_factor=config["global_rope_scaling_factor"],
        local_factor=config["local_rope_scaling_factor"],
        attention_cap=config["attention_logit_soft_cap"],
        logit_cap=config["final_logit_soft_cap"],
    )


def _from_gguf(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    sizes = sizes_from_gguf(path, metadata, ARCHITECTURE)
    return _config(
        sizes,
        sliding_window=positive(path, metadata, f"{ARCHITECTURE}.attention.sliding_window"),
        query_pre_attn_scalar=query_scalar(sizes, LAYERS_OF_27B),
        global_rope_base=number(path, metadata, f"{ARCHITECTURE}.rope.freq_base"),
        global_factor=metadata.get(f"{ARCHITECTURE}.rope.scaling.factor", 1.0),
    )


def _addresses(*names: str) -> dict[str, str]:
    return {name: f"kaggle://keras/gemma3/keras/{name}" for name in names}


GEMMA3: Family = Family(
    name="gemma3",
    keras_class="Gemma3Backbone",
    model_types=("gemma3", "gemma3_text"),
    chat=CHAT,
    matrices=MATRICES,
    norms=(INPUT_NORM, QUERY_NORM, KEY_NORM, POST_ATTENTION_NORM, PRE_FFN_NORM, POST_FFN_NORM),
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA3),
    read_transformers=lambda path, document: read_transformers_config(path, document, GEMMA3),
    text_defaults=MULTIMODAL_DEFAULTS,
    computation=Computation(
        GLOBAL_ROPE_BASE,
        LOCAL_ROPE_BASE,
        rope_types=("default", "linear"),
        global_every=GLOBAL_EVERY,
        may_be_global=True,
        query_scalar_of_hidden=True,
    ),
    text_class=CLASS,
    transformers_config=_from_keras,
    presets=_addresses(
        "gemma3_270m",
        "gemma3_instruct_270m",
        "gemma3_1b",
        "gemma3_instruct_1b",
        "gemma3_4b_text",
        "gemma3_instruct_4b_text",
    ),
    example="gemma3_instruct_270m",
    example_text="gemma3_instruct_4b_text",
    terms=GEMMA_TERMS,
    gguf=GgufForm(ARCHITECTURE, norm_offset=1.0, config=_from_gguf),
)
