"""What the decoders of several families have in common: matrices, norms, and how configurations name their
sizes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families.config import layer_count, number, positive, section
from pipeline.families.family import Family, GemmaShape, MatrixKind, NormKind


def _queries(shape: GemmaShape) -> int:
    return shape.query_heads * shape.head_dim


def _keys(shape: GemmaShape) -> int:
    return shape.kv_heads * shape.head_dim


MATRICES = (
    MatrixKind(
        name="query",
        keras_layer="query",
        hdf5_path="attention/query_dense",
        module="self_attn.q_proj",
        layout="heads_out",
        shape=lambda shape: (_queries(shape), shape.hidden),
        runtime_letter="q",
        runtime_word="query",
        gguf="attn_q",
    ),
    MatrixKind(
        name="key",
        keras_layer="key",
        hdf5_path="attention/key_dense",
        module="self_attn.k_proj",
        layout="heads_out",
        shape=lambda shape: (_keys(shape), shape.hidden),
        runtime_letter="k",
        runtime_word="key",
        gguf="attn_k",
    ),
    MatrixKind(
        name="value",
        keras_layer="value",
        hdf5_path="attention/value_dense",
        module="self_attn.v_proj",
        layout="heads_out",
        shape=lambda shape: (_keys(shape), shape.hidden),
        runtime_letter="v",
        runtime_word="value",
        gguf="attn_v",
    ),
    MatrixKind(
        name="output",
        keras_layer="attention_output",
        hdf5_path="attention/output_dense",
        module="self_attn.o_proj",
        layout="heads_in",
        shape=lambda shape: (shape.hidden, _queries(shape)),
        runtime_letter="o",
        runtime_word="post",
        gguf="attn_output",
    ),
    MatrixKind(
        name="gate",
        keras_layer="ffw_gating",
        hdf5_path="gating_ffw",
        module="mlp.gate_proj",
        layout="dense",
        shape=lambda shape: (shape.ffn, shape.hidden),
        gguf="ffn_gate",
    ),
    MatrixKind(
        name="up",
        keras_layer="ffw_gating_2",
        hdf5_path="gating_ffw_2",
        module="mlp.up_proj",
        layout="dense",
        shape=lambda shape: (shape.ffn, shape.hidden),
        gguf="ffn_up",
    ),
    MatrixKind(
        name="down",
        keras_layer="ffw_linear",
        hdf5_path="ffw_linear",
        module="mlp.down_proj",
        layout="dense",
        shape=lambda shape: (shape.hidden, shape.ffn),
        gguf="ffn_down",
    ),
)

INPUT_NORM = NormKind("pre_attention_norm", "input_layernorm", "attn_norm")
QUERY_NORM = NormKind("query_norm", "self_attn.q_norm", "attn_q_norm", per_head=True)
KEY_NORM = NormKind("key_norm", "self_attn.k_norm", "attn_k_norm", per_head=True)
POST_ATTENTION_NORM = NormKind("post_attention_norm", "post_attention_layernorm", "post_attention_norm")
PRE_FFN_NORM = NormKind("pre_ffw_norm", "pre_feedforward_layernorm", "ffn_norm")
POST_FFN_NORM = NormKind("post_ffw_norm", "post_feedforward_layernorm", "post_ffw_norm")


def read_keras_config(
    path: Path, config: dict[str, Any], family: Family, *, ffn_divisor: int = 1
) -> GemmaShape:
    """The shape in a KerasHub backbone's `config`; `ffn_divisor` for classes that count gate and up
    together."""
    window = None
    if config.get("use_sliding_window_attention") and config.get("sliding_window_size") is not None:
        window = positive(path, config, "sliding_window_size")
    return GemmaShape(
        family=family,
        layers=layer_count(path, config, "num_layers"),
        hidden=positive(path, config, "hidden_dim"),
        query_heads=positive(path, config, "num_query_heads"),
        kv_heads=positive(path, config, "num_key_value_heads"),
        head_dim=positive(path, config, "head_dim"),
        ffn=positive(path, config, "intermediate_dim") // ffn_divisor,
        vocabulary=positive(path, config, "vocabulary_size"),
        sliding_window=window,
        vision=config.get("vision_encoder") is not None,
    )


def read_transformers_config(
    path: Path, document: dict[str, Any], family: Family, *, sliding_window: bool = True
) -> GemmaShape:
    """The shape in a Hugging Face config.json; the text decoder's part of a multimodal one."""
    text = text_part(path, document, family)
    return text_shape(path, text, family, vision="vision_config" in document, sliding_window=sliding_window)


def text_part(path: Path, document: dict[str, Any], family: Family) -> dict[str, Any]:
    """The keys about the text decoder: all, or those of a multimodal configuration's text_config.

    Raises:
        InputError: text_config is no object.
    """
    if "text_config" not in document:
        return document
    return {**family.text_defaults, **section(path, document, "text_config")}


def text_only(family: Family, text: Mapping[str, Any]) -> dict[str, Any]:
    """config.json of a text-only folder from the keys about the text decoder."""
    return {**text, "architectures": [family.text_class], "model_type": family.model_types[-1]}


def text_shape(
    path: Path, text: dict[str, Any], family: Family, *, vision: bool, sliding_window: bool = True
) -> GemmaShape:
    """The shape in the keys of a Hugging Face text configuration."""
    window = text.get("sliding_window")
    return GemmaShape(
        family=family,
        layers=layer_count(path, text, "num_hidden_layers"),
        hidden=positive(path, text, "hidden_size"),
        query_heads=positive(path, text, "num_attention_heads"),
        kv_heads=positive(path, text, "num_key_value_heads"),
        head_dim=positive(path, text, "head_dim"),
        ffn=positive(path, text, "intermediate_size"),
        vocabulary=positive(path, text, "vocab_size"),
        sliding_window=window if isinstance(window, int) and sliding_window else None,
        vision=vision,
    )


COMMON_CONFIG: Mapping[str, Any] = {
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": True,
    "use_cache": True,
}
"""Keys of a Hugging Face config.json that have the same value in every family here."""


KERAS_SIZES: Mapping[str, str] = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "intermediate_size": "intermediate_dim",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_query_heads",
    "num_key_value_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "rms_norm_eps": "layer_norm_epsilon",
}
"""KerasHub's words for the sizes, by Hugging Face's."""


def sizes_from_keras(config: Mapping[str, Any], *, ffn_divisor: int = 1) -> dict[str, Any]:
    """The sizes in a KerasHub backbone's `config`, in Hugging Face's words."""
    sizes = {name: config[keras] for name, keras in KERAS_SIZES.items()}
    return sizes | {"intermediate_size": sizes["intermediate_size"] // ffn_divisor}


def sizes_for_keras(text: Mapping[str, Any], *, ffn_divisor: int = 1) -> dict[str, Any]:
    """The inverse of `sizes_from_keras`."""
    sizes = {keras: text[name] for name, keras in KERAS_SIZES.items()}
    return sizes | {"intermediate_dim": sizes["intermediate_dim"] * ffn_divisor}


def sizes_from_gguf(path: Path, metadata: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The sizes in the metadata of a GGUF file, in Hugging Face's words; without the vocabulary.

    Args:
        path: the file, for error messages.
        metadata: its keys and values.
        architecture: prefix of the keys.

    Raises:
        InputError: a size is missing; names file and key.
    """
    names = {
        "hidden_size": "embedding_length",
        "intermediate_size": "feed_forward_length",
        "num_hidden_layers": "block_count",
        "num_attention_heads": "attention.head_count",
        "num_key_value_heads": "attention.head_count_kv",
        "head_dim": "attention.key_length",
        "max_position_embeddings": "context_length",
    }
    sizes: dict[str, Any] = {
        name: positive(path, metadata, f"{architecture}.{key}") for name, key in names.items()
    }
    layer_count(path, metadata, f"{architecture}.block_count")
    return sizes | {
        "rms_norm_eps": number(path, metadata, f"{architecture}.attention.layer_norm_rms_epsilon")
    }


def query_scalar(sizes: Mapping[str, Any], layers_of_27b: int) -> int:
    """Queries are divided by the root of this: the width of a head, but in the 27B the hidden size over the
    number of heads. GGUF files do not store it; llama.cpp goes by the number of layers, too."""
    if sizes["num_hidden_layers"] == layers_of_27b:
        return int(sizes["hidden_size"] // sizes["num_attention_heads"])
    return int(sizes["head_dim"])
