"""Preset folders for tests: the right files of the right sizes around a tiny Gemma 3 of zeros."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.families.family import GemmaShape
from pipeline.families.gemma3 import GEMMA3
from pipeline.families.names import tensor_shapes
from tests.support.tokenizers import write_tokenizer

SHAPE = GemmaShape(
    family=GEMMA3,
    layers=2,
    hidden=16,
    query_heads=2,
    kv_heads=1,
    head_dim=8,
    ffn=32,
    vocabulary=400,
    sliding_window=64,
)

KERAS_CONFIG: dict[str, Any] = {
    "module": "keras_hub.src.models.gemma3.gemma3_backbone",
    "class_name": "Gemma3Backbone",
    "config": {
        "vocabulary_size": 400,
        "num_layers": 2,
        "num_query_heads": 2,
        "num_key_value_heads": 1,
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "head_dim": 8,
        "use_post_ffw_norm": True,
        "use_sliding_window_attention": True,
        "sliding_window_size": 64,
        "vision_encoder": None,
    },
    "registered_name": "keras_hub>Gemma3Backbone",
}

TRANSFORMERS_CONFIG: dict[str, Any] = {
    "model_type": "gemma3_text",
    "vocab_size": 400,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "hidden_size": 16,
    "intermediate_size": 32,
    "head_dim": 8,
    "sliding_window": 64,
}


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_h5(path: Path, elements: int) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("layers/token_embedding/vars/0", data=np.zeros(elements, np.float32))
    return path


def write_safetensors(path: Path, elements: int) -> Path:
    from safetensors.numpy import save_file

    save_file({"model.embed_tokens.weight": np.zeros(elements, np.float32)}, path)
    return path


def write_every_tensor(path: Path) -> Path:
    """The weights of the tiny Gemma, all zeros."""
    from safetensors.numpy import save_file

    save_file({name: np.zeros(size, np.float32) for name, size in tensor_shapes(SHAPE).items()}, path)
    return path


def write_keras_preset(folder: Path) -> Path:
    """A KerasHub preset, with files beside it that belong to none."""
    write_json(folder / "config.json", KERAS_CONFIG)
    write_json(folder / "tokenizer.json", {"class_name": "Gemma3Tokenizer"})
    write_h5(folder / "model.weights.h5", SHAPE.parameters)
    write_tokenizer(folder / "assets/tokenizer/vocabulary.spm")
    (folder / "notes.txt").write_text("not part of the preset", encoding="utf-8")
    return folder


def write_transformers_folder(folder: Path) -> Path:
    """A Hugging Face folder, with a pickle beside the safetensors."""
    write_json(folder / "config.json", TRANSFORMERS_CONFIG)
    write_every_tensor(folder / "model.safetensors")
    write_tokenizer(folder / "tokenizer.model")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    return folder
