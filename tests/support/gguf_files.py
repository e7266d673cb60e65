"""GGUF files for tests: a tiny Gemma 3 as llama.cpp writes it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from pipeline.families.gemma3 import GGUF
from pipeline.families.names import EMBEDDING, FINAL_NORM
from tests.support.presets import SHAPE
from tests.support.tokenizers import tokenizer_bytes

Weights = dict[str, NDArray[np.float32]]
"""Hugging Face names to values."""

METADATA: Mapping[str, int | float] = {
    "context_length": 512,
    "embedding_length": SHAPE.hidden,
    "block_count": SHAPE.layers,
    "feed_forward_length": SHAPE.ffn,
    "attention.head_count": SHAPE.query_heads,
    "attention.head_count_kv": SHAPE.kv_heads,
    "attention.key_length": SHAPE.head_dim,
    "attention.value_length": SHAPE.head_dim,
    "attention.sliding_window": SHAPE.sliding_window or 0,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.freq_base": 1e6,
}


def random_weights(seed: int = 0) -> Weights:
    """Every tensor of the tiny Gemma, by its Hugging Face name."""
    random = np.random.default_rng(seed)
    norms = {
        "input_layernorm": SHAPE.hidden,
        "self_attn.q_norm": SHAPE.head_dim,
        "self_attn.k_norm": SHAPE.head_dim,
    }
    shapes: dict[str, tuple[int, ...]] = {
        EMBEDDING: (SHAPE.vocabulary, SHAPE.hidden),
        FINAL_NORM: (SHAPE.hidden,),
    }
    for layer in range(SHAPE.layers):
        for matrix in SHAPE.family.matrices:
            shapes[f"model.layers.{layer}.{matrix.module}.weight"] = matrix.shape(SHAPE)
        for module in GGUF.norms.values():
            shapes[f"model.layers.{layer}.{module}.weight"] = (norms.get(module, SHAPE.hidden),)
    return {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


def llama_cpp_name(name: str) -> str:
    """llama.cpp's name of a tensor, from its Hugging Face name."""
    if name == EMBEDDING:
        return "token_embd.weight"
    if name == FINAL_NORM:
        return "output_norm.weight"
    modules = {matrix.module: matrix.gguf for matrix in SHAPE.family.matrices}
    modules |= {module: short for short, module in GGUF.norms.items()}
    layer, module = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{modules[module]}.weight"


def write_gguf(
    path: Path,
    weights: Weights | None = None,
    *,
    stored_as: Callable[[str], str] = lambda name: "F32",
    architecture: str = "gemma3",
    metadata: Mapping[str, Any] | None = None,
    without: str = "",
    extra: Mapping[str, NDArray[np.float32]] | None = None,
    shards: int = 1,
    tokenizer: Mapping[str, Any] | None = None,
) -> Path:
    """Write a GGUF with llama.cpp's own Python package; returns the first shard.

    Args:
        path: of the file; with more than one shard, its name gets -00001-of-0000N.
        weights: values by their Hugging Face names.
        stored_as: the type of a matrix, by its Hugging Face name; norms are F32, as llama.cpp has them.
        architecture: general.architecture.
        metadata: replaces values of METADATA; None leaves a key out.
        without: the Hugging Face name of a tensor to leave out.
        extra: further tensors, by their GGUF names.
        shards: number of files.
        tokenizer: replaces tokenizer.ggml keys.
    """
    prefix = path.with_suffix("")
    writer = gguf.GGUFWriter(
        path if shards == 1 else prefix.with_suffix(".gguf"),
        architecture,
        split_max_tensors=-(-len(weights or random_weights()) // shards) if shards > 1 else 0,
    )
    for key, value in (dict(METADATA) | dict(metadata or {})).items():
        if isinstance(value, int):
            writer.add_uint32(f"{architecture}.{key}", value)
        elif value is not None:
            writer.add_float32(f"{architecture}.{key}", value)
    _add_tokenizer(writer, tokenizer or {})
    for name, values in (weights or random_weights()).items():
        if name == without:
            continue
        if name.endswith("norm.weight"):
            writer.add_tensor(llama_cpp_name(name), values + np.float32(1))
            continue
        kind = gguf.GGMLQuantizationType[stored_as(name)]
        writer.add_tensor(llama_cpp_name(name), gguf.quants.quantize(values, kind), raw_dtype=kind)
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path if shards == 1 else next(path.parent.glob(f"{prefix.name}-00001-of-*.gguf"))


def _add_tokenizer(writer: gguf.GGUFWriter, changed: Mapping[str, Any]) -> None:
    """The test tokenizer as llama.cpp stores it: markers are control tokens with ordinary spaces."""
    protobuf: Any = import_module("sentencepiece.sentencepiece_model_pb2")  # has no types
    model = protobuf.ModelProto.FromString(tokenizer_bytes())
    types = [gguf.TokenType.CONTROL if piece.type in (2, 3, 4) else piece.type for piece in model.pieces]
    lists: dict[str, Any] = {
        "model": "llama",
        "tokens": [
            piece.piece.replace("▁", " ") if piece.type == 4 else piece.piece for piece in model.pieces
        ],
        "scores": [piece.score for piece in model.pieces],
        "token_type": [int(kind) for kind in types],
    } | dict(changed)
    writer.add_tokenizer_model(lists["model"])
    writer.add_token_list(lists["tokens"])
    writer.add_token_scores(lists["scores"])
    writer.add_token_types(lists["token_type"])
    for add, index in (
        (writer.add_pad_token_id, 0),
        (writer.add_eos_token_id, 1),
        (writer.add_bos_token_id, 2),
        (writer.add_unk_token_id, 3),
    ):
        add(index)
    writer.add_add_space_prefix(False)
