"""Presets of every supported family with random weights: the family's architecture, scaled down, with the
demo's tokenizer, as KerasHub and as Hugging Face store them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.families.registry import FAMILIES
from pipeline.families.tokenizer_files import SENTENCEPIECE_FILE
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.sentencepiece_model import PieceType
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file
from tests.support.finished_run import DEMO

SIZES: dict[str, int] = {
    "num_layers": 4,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 64,
    "head_dim": 32,
}
"""The width of queries, 128, is not the hidden size; a mistake in their order of axes shows."""

FFN, WINDOW = 128, 24
CAPS = {"attention_logit_soft_cap": 50.0, "final_logit_soft_cap": 30.0}
LOCAL = {"use_sliding_window_attention": True, "sliding_window_size": WINDOW}
POST_NORMS = {"use_post_ffw_norm": True, "use_post_attention_norm": True}

LAYERS: dict[str, Any] = {
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "global_head_dim": 64,
    "hidden_size_per_layer_input": 16,
    "use_double_wide_mlp": True,
}
"""Of Gemma 4, in KerasHub's and in Hugging Face's words."""

AS_PUBLISHED: dict[str, Any] = {
    "layer_types": ["full_attention"] * SIZES["num_layers"],
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
}
"""Of google/vaultgemma-1b, in Hugging Face's words: no layer uses its sliding window."""

NORM_OFFSETS = {"gemma4": 1.0}
"""Other families add 1 to the scales of norms."""


def _norm_offset(family: str, path: str) -> float:
    """Around which value the scales of a norm are drawn. Gemma 4 divides attention scores by nothing but what
    the norms of queries and keys learn."""
    of_heads = any(name in path for name in ("query_norm", "key_norm", "q_norm", "k_norm"))
    return NORM_OFFSETS.get(family, 0.0) * (0.5 if of_heads else 1.0)


KERAS_CONFIGS: dict[str, dict[str, Any]] = {
    # Gemma 1 and 2 count gate and up together.
    "gemma": {"intermediate_dim": 2 * FFN},
    "gemma2": {"intermediate_dim": 2 * FFN, **CAPS, **LOCAL, **POST_NORMS},
    # All that a VaultGemma may have; a folder in the other form is as the published model.
    "vaultgemma": {"intermediate_dim": 2 * FFN, **CAPS, **LOCAL},
    "gemma3": {"intermediate_dim": FFN, "image_size": None, **LOCAL, **POST_NORMS},
    "gemma4": {
        "intermediate_dim": FFN,
        "image_size": None,
        **LOCAL,
        **LAYERS,
        "global_rope_partial_rotary_factor": 0.25,
        "final_logit_soft_cap": 30.0,
    },
}
"""Arguments of the KerasHub backbone beside SIZES."""


DEMO_PIECES = 1024
"""Pieces of the demo's tokenizer."""

RARE = 0.3
"""Factor of the embeddings of further tokens, which mark structure: a random model must not write them."""


def write_tokenizer(family: str, folder: Path) -> Tokenizer:
    """The demo's tokenizer with the tokens of this family that it lacks."""
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(tokenizer_file(DEMO / "base").read_bytes())
    chat = FAMILIES[family].chat
    known = {piece.piece for piece in model.pieces}
    others = () if chat.start_of_turn in known else chat.control_tokens
    for token in (*FAMILIES[family].own_tokens, *(each for each in others if each not in known)):
        model.pieces.add(piece=token, score=0.0, type=PieceType.USER_DEFINED)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SENTENCEPIECE_FILE).write_bytes(model.SerializeToString())
    return Tokenizer(folder / SENTENCEPIECE_FILE, FAMILIES[family].chat)


def write_keras_preset(family: str, folder: Path) -> Path:
    """A KerasHub preset."""
    use_backend("torch")
    import keras
    import keras_hub

    own = write_tokenizer(family, folder.with_name("tokenizer"))
    name = FAMILIES[family].keras_class.removesuffix("Backbone")
    kinds = keras_hub.models
    backbone = getattr(kinds, f"{name}Backbone")(
        vocabulary_size=own.vocabulary_size, **SIZES, **KERAS_CONFIGS[FAMILIES[family].variant_of or family]
    )
    for index, weight in enumerate(backbone.weights):
        vector = weight.path.endswith(("scale", "scalar"))
        scale = 0.1 if vector else 0.06 if "embedding" in weight.path else 0.12
        offset = _norm_offset(family, weight.path) if vector else 0.0
        weight.assign(offset + scale * keras.random.normal(weight.shape, seed=index))
    table = np.array(keras.ops.convert_to_numpy(backbone.token_embedding.embeddings))
    table[DEMO_PIECES:] *= RARE
    backbone.token_embedding.embeddings.assign(table)
    tokenizer = getattr(kinds, f"{name}Tokenizer")(str(own.path))
    preprocessor = getattr(kinds, f"{name}CausalLMPreprocessor")(tokenizer=tokenizer, sequence_length=64)
    getattr(kinds, f"{name}CausalLM")(backbone=backbone, preprocessor=preprocessor).save_to_preset(
        str(folder)
    )
    return folder


def write_transformers_folder(
    family: str, folder: Path, *, dtype: str = "bfloat16", shards: int = 2, **changes: Any
) -> Path:
    """A Hugging Face folder, written by transformers itself.

    Args:
        family: its short name.
        folder: created here.
        dtype: of the weights.
        shards: at least so many files of weights.
        changes: to the configuration, in Hugging Face's words.
    """
    # Triton's library can crash beside TensorFlow, which KerasHub loads.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    import torch
    import transformers

    base = FAMILIES[FAMILIES[family].variant_of or family]
    tokenizer = write_tokenizer(family, folder)
    config = {
        **dict(_transformers_sizes()),
        "vocab_size": tokenizer.vocabulary_size,
        "sliding_window": WINDOW,
        "query_pre_attn_scalar": SIZES["head_dim"],
        "bos_token_id": tokenizer.bos_id,
        "eos_token_id": tokenizer.stop_ids[0],
        "pad_token_id": tokenizer.pad_id,
    }
    if base.name == "gemma4":
        config |= LAYERS | {"vocab_size_per_layer_input": tokenizer.vocabulary_size}
    if base.name == "vaultgemma":
        config |= AS_PUBLISHED
    config |= changes
    torch.manual_seed(0)
    settings = transformers.AutoConfig.for_model(base.model_types[-1], **config)
    model = transformers.AutoModelForCausalLM.from_config(settings).to(getattr(torch, dtype))
    for name, weight in model.named_parameters():
        offset = _norm_offset(base.name, name) if weight.dim() == 1 else 0.0
        weight.data.normal_(offset, 0.12 if weight.dim() == 2 else 0.1)
    model.get_input_embeddings().weight.data.mul_(0.5)
    model.get_input_embeddings().weight.data[DEMO_PIECES:] *= RARE
    size = sum(weight.numel() for weight in model.parameters()) * (2 if dtype == "bfloat16" else 4)
    model.save_pretrained(folder, max_shard_size=size // shards)
    return folder


def _transformers_sizes() -> dict[str, int]:
    return {
        "num_hidden_layers": SIZES["num_layers"],
        "num_attention_heads": SIZES["num_query_heads"],
        "num_key_value_heads": SIZES["num_key_value_heads"],
        "hidden_size": SIZES["hidden_dim"],
        "head_dim": SIZES["head_dim"],
        "intermediate_size": FFN,
    }


def write_recipe(folder: Path, preset: Path, **convert: Any) -> Path:
    """A recipe that trains a preset on a few rows of the demo's data, and asks a few questions."""
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", 48), ("test", 12)):
        lines = (DEMO / "science" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_text("".join(lines[:rows]), encoding="utf-8")
    document = {
        "name": "random",
        "model": {"preset": str(preset)},
        "data": {"train": "train.jsonl", "validation": "test.jsonl", "test": "test.jsonl", "max_length": 64},
        "finetune": {
            "backend": "torch",
            "rank": 4,
            "targets": [matrix.name for matrix in FAMILIES["gemma3"].matrices],
            "epochs": 1,
            "batch_size": 8,
            "learning_rate": 0.005,
        },
        "convert": {"recipe": "int8", "prefill_lengths": [64], "context_length": 128} | convert,
        # A random model answers nothing right.
        "verify": {
            "questions": 12,
            "max_questions": 12,
            "max_new_tokens": 8,
            "accept_undecided": True,
            # Its replies are noise: whether one ends within 8 tokens, too.
            "max_unstopped": 0.9,
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def environment() -> dict[str, str]:
    """For a process that makes or walks a preset."""
    return os.environ | {"KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
