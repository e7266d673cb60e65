"""Gemma 4 of E2B and E4B, text only.

Beside the residual stream, each layer gets a vector of its own from every token (per-layer embeddings). The
last layers take keys and values from an earlier layer, layers that see the whole context have wider heads,
and in E2B the last layers have a wider feed-forward part (KerasHub's Gemma4Backbone describes all of it). The
larger models, 26B-A4B and 31B, are built differently and are refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.families.computation import Computation
from pipeline.families.config import positive
from pipeline.families.decoder import (
    COMMON_CONFIG,
    INPUT_NORM,
    KEY_NORM,
    MATRICES,
    POST_ATTENTION_NORM,
    POST_FFN_NORM,
    PRE_FFN_NORM,
    QUERY_NORM,
    read_keras_config,
    sizes_from_keras,
    text_part,
    text_shape,
)
from pipeline.families.family import (
    EMBEDDING_MATRIX,
    FINAL_NORM_KIND,
    Family,
    GemmaShape,
    LayerSizes,
    MatrixKind,
    NormKind,
    OtherMatrix,
    OtherNorm,
)
from pipeline.families.turns import template

CLASS = "Gemma4ForCausalLM"

FULL, LOCAL = "full_attention", "sliding_attention"

LOCAL_ROPE_BASE, GLOBAL_ROPE_BASE = 10_000.0, 1_000_000.0
"""What KerasHub takes where a configuration names no base."""

LAYER_INPUT = "hidden_size_per_layer_input"
"""Key of the width of the vector that a layer gets from a token."""

SYSTEM = "system"

CHAT = ChatFormat(
    bos="<bos>",
    eos="<eos>",
    pad="<pad>",
    unk="<unk>",
    start_of_turn="<|turn>",
    end_of_turn="<turn|>",
    # Channels, thinking, tools, images, and sound (Gemma 4 documentation, "Prompt formatting").
    other_control_tokens=(
        *("<|channel>", "<channel|>", "<|think|>", "<mask>", '<|"|>'),
        *("<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>"),
        *("<|image>", "<|image|>", "<image|>", "<|audio>", "<|audio|>", "<audio|>", "<|video|>"),
    ),
    user="user",
    model="model",
    template=template("<|turn>", "<turn|>", SYSTEM),
    system_role=SYSTEM,
)

PER_LAYER_MATRICES = (
    MatrixKind(
        name="per_layer_gate",
        keras_layer="per_layer_input_gate",
        hdf5_path="per_layer_input_gate",
        module="per_layer_input_gate",
        layout="dense",
        shape=lambda shape: (shape.layer_input, shape.hidden),
    ),
    MatrixKind(
        name="per_layer_projection",
        keras_layer="per_layer_up_proj",
        hdf5_path="per_layer_up_proj",
        module="per_layer_projection",
        layout="dense",
        shape=lambda shape: (shape.hidden, shape.layer_input),
    ),
)
"""How a layer takes in the vector that it gets from a token."""


def _all_layers(shape: GemmaShape) -> int:
    return shape.layers * shape.layer_input


OTHER_MATRICES = (
    EMBEDDING_MATRIX,
    OtherMatrix(
        tensor="model.embed_tokens_per_layer.weight",
        keras_layer="per_layer_token_embedding",
        hdf5_path="layers/embedding/vars/0",
        shape=lambda shape: (shape.layer_vocabulary, _all_layers(shape)),
        lookup=True,
    ),
    OtherMatrix(
        tensor="model.per_layer_model_projection.weight",
        keras_layer="per_layer_model_projection",
        hdf5_path="layers/dense/vars/0",
        shape=lambda shape: (_all_layers(shape), shape.hidden),
        lookup=False,
    ),
)

PER_LAYER_NORM = NormKind("post_per_layer_input_norm", "post_per_layer_input_norm", gguf="")
PROJECTION_NORM = OtherNorm(
    "model.per_layer_projection_norm.weight", "per_layer_projection_norm", lambda shape: shape.layer_input
)


def _refuse(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}; this Gemma 4 is not supported, use E2B or E4B")


def _with_layers(path: Path, shape: GemmaShape, config: Mapping[str, Any]) -> GemmaShape:
    """A shape with what each layer has.

    Args:
        path: of the configuration, for messages.
        shape: the sizes that all layers share.
        config: a configuration of KerasHub or of Hugging Face; these keys have the same names in both.

    Raises:
        InputError: experts, keys that are values too, or no per-layer embeddings.
    """
    if config.get("enable_moe_block"):
        raise _refuse(path, "a mixture of experts")
    if config.get("attention_k_eq_v") or config.get("num_global_key_value_heads"):
        raise _refuse(path, "keys and values are the same projection")
    if not config.get(LAYER_INPUT):
        raise _refuse(path, "no per-layer embeddings")
    kinds = config.get("layer_types")
    if (
        not isinstance(kinds, list | tuple)
        or len(kinds) != shape.layers
        or any(kind not in (FULL, LOCAL) for kind in kinds)
    ):
        raise InputError(
            f"{path}: layer_types is {kinds!r:.60}, expected {shape.layers} times {FULL} or {LOCAL}"
        )
    first_shared = shape.layers - int(config.get("num_kv_shared_layers") or 0)
    wide = bool(config.get("use_double_wide_mlp"))
    shared = frozenset({"key", "value", KEY_NORM.keras_layer})
    sizes = tuple(
        LayerSizes(
            head_dim=int(config.get("global_head_dim") or shape.head_dim) if kind == FULL else shape.head_dim,
            ffn=shape.ffn * 2 if wide and layer >= first_shared else shape.ffn,
            lacks=shared if layer >= first_shared else frozenset(),
        )
        for layer, kind in enumerate(kinds)
    )
    return replace(
        shape,
        layer_sizes=sizes,
        layer_input=positive(path, config, LAYER_INPUT),
        layer_vocabulary=int(config.get("vocab_size_per_layer_input") or shape.vocabulary),
    )


def _read_keras(path: Path, config: dict[str, Any]) -> GemmaShape:
    shape = read_keras_config(path, config, GEMMA4)
    return _with_layers(path, shape, config)


def _read_transformers(path: Path, document: dict[str, Any]) -> GemmaShape:
    text = _as_keras_reads(text_part(path, document, GEMMA4))
    vision = bool(document.get("vision_config") or document.get("audio_config"))
    shape = text_shape(path, text, GEMMA4, vision=vision)
    return _with_layers(path, shape, text)


def _as_keras_reads(text: dict[str, Any]) -> dict[str, Any]:
    """Newer versions of transformers write the width of the heads layer by layer."""
    own = text.get("per_layer_config")
    kinds = text.get("layer_types") or []
    if not own or text.get("global_head_dim") or not (isinstance(own, dict) and isinstance(kinds, list)):
        return text
    widths = {
        layer.get("head_dim") if isinstance(layer, dict) else None
        for index, layer in own.items()
        if index.isdecimal() and len(index) < 5 and int(index) < len(kinds)
    }
    if len(widths) != 1 or not all(isinstance(width, int) for width in widths):
        return text
    return {key: value for key, value in text.items() if key != "per_layer_config"} | {
        "global_head_dim": widths.pop()
    }


def _from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": [CLASS],
        "model_type": "gemma4_text",
        **COMMON_CONFIG,
        **sizes_from_keras(config),
        "global_head_dim": config["global_head_dim"],
        "sliding_window": config["sliding_window_size"],
        "layer_types": list(config["layer_types"]),
        "num_kv_shared_layers": config["num_kv_shared_layers"],
        LAYER_INPUT: config[LAYER_INPUT],
        "vocab_size_per_layer_input": config["vocab_size_per_layer_input"] or config["vocabulary_size"],
        "use_double_wide_mlp": config["use_double_wide_mlp"],
        "enable_moe_block": False,
        "rope_parameters": {
            FULL: {
                "rope_type": "proportional",
                "rope_theta": config["global_rope_wavelength"] or GLOBAL_ROPE_BASE,
                "partial_rotary_factor": config["global_rope_partial_rotary_factor"],
            },
            LOCAL: {
                "rope_type": "default",
                "rope_theta": config["local_rope_wavelength"] or LOCAL_ROPE_BASE,
            },
        },
        "final_logit_softcapping": config["final_logit_soft_cap"],
        "use_bidirectional_attention": None,
    }


GEMMA4: Family = Family(
    name="gemma4",
    keras_class="Gemma4Backbone",
    model_types=("gemma4", "gemma4_text"),
    chat=CHAT,
    matrices=(*MATRICES, *PER_LAYER_MATRICES),
    norms=(
        *(INPUT_NORM, QUERY_NORM, KEY_NORM, POST_ATTENTION_NORM),
        *(PRE_FFN_NORM, POST_FFN_NORM, PER_LAYER_NORM),
    ),
    other_matrices=OTHER_MATRICES,
    other_norms=(PROJECTION_NORM, FINAL_NORM_KIND),
    scalars=("layer_scalar",),
    read_keras=_read_keras,
    read_transformers=_read_transformers,
    as_keras_reads=_as_keras_reads,
    calls_layers=False,
    computation=Computation(
        global_rope_types=("proportional",),
        # KerasHub would apply it, transformers and the converter do not.
        values={"attn_logit_softcapping": None},
    ),
    text_class=CLASS,
    transformers_config=_from_keras,
    presets={
        name: f"kaggle://keras/gemma4/keras/{name}"
        for name in ("gemma4_2b", "gemma4_instruct_2b", "gemma4_4b", "gemma4_instruct_4b")
    },
)
