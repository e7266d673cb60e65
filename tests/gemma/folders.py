"""Hugging Face folders with random weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tests.support.presets import TRANSFORMERS_CONFIG, write_json
from tests.support.tokenizers import write_tokenizer

Weights = dict[str, NDArray[Any]]
Config = dict[str, Any]

MULTIMODAL = {"model_type": "gemma3", "text_config": TRANSFORMERS_CONFIG, "vision_config": {"hidden_size": 8}}
TOWERS = {
    "vision_tower.vision_model.embeddings.patch_embedding.weight": np.ones((3, 2), np.float32),
    "multi_modal_projector.mm_soft_emb_norm.weight": np.ones(5, np.float32),
}


def write_folder(folder: Path, weights: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> Path:
    folder.mkdir()
    write_json(folder / "config.json", config)
    write_tokenizer(folder / "tokenizer.model")
    save_file(dict(weights), folder / "model.safetensors")
    return folder


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {prefix + name.removeprefix("model."): values for name, values in weights.items()}
