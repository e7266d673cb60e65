"""Adapters with random tensors, and the tiny Gemma merged with them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.families.names import RUNTIME_TARGETS
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.model_spec import ModelSpec
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.methods.lora import LoraFactors
from tests.support.finished_run import shared
from tests.support.tiny_gemma import SPEC, tiny_folder

BASE_DIGEST = "ba5e" * 16
LORA = replace(SPEC, lora_rank=16, base_digest=BASE_DIGEST)
"""The tiny Gemma as a base for adapters of rank 16."""

LETTERS = {"query": "q", "key": "k", "value": "v", "output": "o"}


def converted_base(factory: pytest.TempPathFactory, spec: ModelSpec = LORA) -> Path:
    """The tiny Gemma with LoRA inputs, converted once for all workers."""
    source = tiny_folder(factory)

    def make(place: Path) -> None:
        place.mkdir()
        export_litertlm(source, place / "model.litertlm", spec, place / "convert.log")

    return shared(factory, f"tiny_lora_{spec.recipe}", make) / "model.litertlm"


def random_adapter(
    *,
    layers: int,
    hidden: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    rank: int,
    noise: float = 0.3,
    seed: int = 0,
    ffn: int = 0,
    targets: tuple[str, ...] = RUNTIME_TARGETS,
    base_digest: str = BASE_DIGEST,
) -> Adapter:
    """Random A and B in Keras's layout; the scale is not 1."""
    random = np.random.default_rng(seed)

    def normal(*size: int) -> np.ndarray:
        return (random.standard_normal(size) * noise).astype(np.float32)

    tensors = {}
    for layer in range(layers):
        for target in targets:
            if target == "output":
                pair = normal(heads, head_dim, rank), normal(rank, hidden)
            elif target in ("gate", "up", "down"):
                inputs, outputs = (ffn, hidden) if target == "down" else (hidden, ffn)
                pair = normal(inputs, rank), normal(rank, outputs)
            else:
                count = heads if target == "query" else kv_heads
                pair = normal(count, hidden, rank), normal(rank, head_dim)
            tensors[f"decoder_block_{layer}.{target}"] = pair
    return LoraFactors(rank, rank * 0.75, targets, tensors).adapter(base_digest)


def adapter_for(folder: Path, rank: int, *, seed: int = 0, **options: object) -> Adapter:
    """A random adapter for a Hugging Face folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return random_adapter(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        rank=rank,
        seed=seed,
        **options,  # type: ignore[arg-type]
    )


def merged_folder(folder: Path, adapter: Adapter, output: Path) -> Path:
    """A Hugging Face folder whose attention matrices hold the adapter."""
    shutil.copytree(folder, output)
    weights = load_file(folder / "model.safetensors")
    for (target, layer), (a, b) in adapter.method.runtime_factors(adapter).items():
        name = f"model.layers.{layer}.self_attn.{LETTERS[target]}_proj.weight"
        weights[name] = weights[name] + (a @ b).T
    save_file(weights, output / "model.safetensors", metadata={"format": "pt"})
    return output


def write_peft(folder: Path, adapter: Adapter, **settings: object) -> Path:
    """The same adapter as PEFT's folder, with rank-stabilised scales and a rank for each module."""
    factors = adapter.method.runtime_factors(adapter)
    ranks = {f"{LETTERS[target]}_proj": a.shape[1] for (target, _), (a, _) in factors.items()}
    tensors = {}
    for (target, layer), (a, b) in factors.items():
        rank = a.shape[1]
        prefix = f"base_model.model.model.layers.{layer}.self_attn.{LETTERS[target]}_proj"
        tensors[f"{prefix}.lora_A.weight"] = np.ascontiguousarray(a.T)
        tensors[f"{prefix}.lora_B.weight"] = np.ascontiguousarray(b.T * (np.sqrt(rank) / 8)).astype(
            np.float32
        )
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": 1,
        "lora_alpha": 8,
        "use_rslora": True,
        "rank_pattern": ranks,
        "target_modules": list(ranks),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return folder
