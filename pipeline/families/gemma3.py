"""Gemma 3: everything about the family. Its text models of 270M, 1B and 4B go through the whole pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.families.chat import ChatFormat
from pipeline.families.config import number, positive, section
from pipeline.families.family import Family, GemmaShape, GgufForm, MatrixKind
from pipeline.families.terms import GEMMA_TERMS

# The format that Gemma 2 and Gemma 3 were instruction-tuned with (Gemma 3 model card, "Prompt structure"):
#
#     <bos><start_of_turn>user
#     {question}<end_of_turn>
#     <start_of_turn>model
#     {answer}<end_of_turn>
#
# The runtime (LiteRT-LM 0.18 and later) gives a message's content as a list of parts, tokenizers give it as a
# string; the template takes both. "model" is accepted as a role because the runtime names its own turns so.
# The line break between two turns is written before the second: in a conversation that goes on, the runtime
# renders only what comes after its own reply, and would lose a line break that belongs to the turn before.
CHAT = ChatFormat(
    bos="<bos>",
    eos="<eos>",
    pad="<pad>",
    unk="<unk>",
    start_of_turn="<start_of_turn>",
    end_of_turn="<end_of_turn>",
    other_control_tokens=("<mask>", "<start_of_image>", "<end_of_image>"),
    user="user",
    model="model",
    template=(
        "{{ bos_token }}"
        "{%- macro text(content) -%}"
        "{%- if content is string -%}{{ content | trim }}"
        "{%- else -%}{%- for part in content -%}{%- if part['type'] == 'text' -%}{{ part['text'] | trim "
        "}}{%- endif -%}{%- endfor -%}"
        "{%- endif -%}{%- endmacro -%}"
        "{%- if messages[0]['role'] == 'system' -%}"
        "{%- set preface = text(messages[0]['content']) + '\\n\\n' -%}{%- set turns = messages[1:] -%}"
        "{%- else -%}{%- set preface = '' -%}{%- set turns = messages -%}{%- endif -%}"
        "{%- for message in turns -%}"
        "{%- if message['role'] == 'assistant' -%}{%- set role = 'model' -%}{%- else -%}{%- set role = "
        "message['role'] -%}{%- endif -%}"
        "{%- if not loop.first -%}{{ '\\n' }}{%- endif -%}{{ '<start_of_turn>' + role + '\\n' }}"
        "{%- if loop.first -%}{{ preface }}{%- endif -%}"
        "{{ text(message['content']) }}{{ '<end_of_turn>' }}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '\\n<start_of_turn>model\\n' }}{%- endif -%}"
    ),
)


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

DEFAULT_TARGETS = ("query", "value")
"""What Keras's own enable_lora adapts."""

MULTIMODAL_DEFAULTS = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
}
"""Gemma 3's multimodal configurations leave out what equals the defaults of Hugging Face's
Gemma3TextConfig."""


def norm_parameters(shape: GemmaShape) -> int:
    """Four norms a block (before and after attention and feed-forward), one each on query and key, and the
    final one."""
    return shape.layers * (4 * shape.hidden + 2 * shape.head_dim) + shape.hidden


def read_keras_config(
    path: Path, config: dict[str, Any], family: Family, *, ffn_divisor: int = 1
) -> GemmaShape:
    """The shape in a KerasHub backbone's `config`; `ffn_divisor` for classes that count gate and up
    together."""
    window = config.get("sliding_window_size") if config.get("use_sliding_window_attention") else None
    return GemmaShape(
        family=family,
        layers=positive(path, config, "num_layers"),
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
    text = document
    if "text_config" in document:
        text = MULTIMODAL_DEFAULTS | section(path, document, "text_config")
    return text_shape(path, text, family, vision="vision_config" in document, sliding_window=sliding_window)


def text_shape(
    path: Path, text: dict[str, Any], family: Family, *, vision: bool, sliding_window: bool = True
) -> GemmaShape:
    """The shape in the keys of a Hugging Face text configuration."""
    window = text.get("sliding_window")
    return GemmaShape(
        family=family,
        layers=positive(path, text, "num_hidden_layers"),
        hidden=positive(path, text, "hidden_size"),
        query_heads=positive(path, text, "num_attention_heads"),
        kv_heads=positive(path, text, "num_key_value_heads"),
        head_dim=positive(path, text, "head_dim"),
        ffn=positive(path, text, "intermediate_size"),
        vocabulary=positive(path, text, "vocab_size"),
        sliding_window=window if isinstance(window, int) and sliding_window else None,
        vision=vision,
    )


LOCAL_ROPE_BASE = 10_000.0
"""RoPE base of layers with a sliding window (Gemma 3 technical report, section 2)."""

GLOBAL_EVERY = 6
"""One layer in this many sees the whole context: five local layers, then a global one."""

LAYERS_OF_27B = 62


def gguf_config(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """config.json of the model in a GGUF file. What llama.cpp does not store is the same in every Gemma 3."""
    layers = positive(path, metadata, "gemma3.block_count")
    hidden = positive(path, metadata, "gemma3.embedding_length")
    heads = positive(path, metadata, "gemma3.attention.head_count")
    head_dim = positive(path, metadata, "gemma3.attention.key_length")
    scaling = metadata.get("gemma3.rope.scaling.factor", 1.0)
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "hidden_size": hidden,
        "intermediate_size": positive(path, metadata, "gemma3.feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": positive(path, metadata, "gemma3.attention.head_count_kv"),
        "head_dim": head_dim,
        # As llama.cpp does: only the 27B divides by hidden size over heads.
        "query_pre_attn_scalar": hidden // heads if layers == LAYERS_OF_27B else head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": number(path, metadata, "gemma3.attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": positive(path, metadata, "gemma3.context_length"),
        "rope_theta": number(path, metadata, "gemma3.rope.freq_base"),
        "rope_local_base_freq": LOCAL_ROPE_BASE,
        "rope_scaling": {"rope_type": "linear", "factor": scaling} if scaling != 1.0 else None,
        "sliding_window": positive(path, metadata, "gemma3.attention.sliding_window"),
        "layer_types": [
            "sliding_attention" if (layer + 1) % GLOBAL_EVERY else "full_attention" for layer in range(layers)
        ],
        "attention_bias": False,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "tie_word_embeddings": True,
    }


GGUF = GgufForm(
    architecture="gemma3",
    norms={
        "attn_norm": "input_layernorm",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
    norm_offset=1.0,
    config=gguf_config,
)


def _addresses(*names: str) -> dict[str, str]:
    return {name: f"kaggle://keras/gemma3/keras/{name}" for name in names}


GEMMA3: Family = Family(
    name="gemma3",
    keras_class="Gemma3Backbone",
    model_types=("gemma3", "gemma3_text"),
    chat=CHAT,
    matrices=MATRICES,
    norm_parameters=norm_parameters,
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA3),
    read_transformers=lambda path, document: read_transformers_config(path, document, GEMMA3),
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
    default_targets=DEFAULT_TARGETS,
    terms=GEMMA_TERMS,
    gguf=GGUF,
)
