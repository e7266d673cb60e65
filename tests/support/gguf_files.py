"""GGUF files for tests: a tiny Gemma as llama.cpp writes it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import GemmaShape
from pipeline.families.names import EMBEDDING, FINAL_NORM, tensor_shapes
from tests.support.presets import SHAPE
from tests.support.tokenizers import tokenizer_bytes

Weights = dict[str, NDArray[np.float32]]
"""Hugging Face names to values."""


def metadata_of(shape: GemmaShape) -> dict[str, int | float]:
    """The keys of an architecture, without its name before them."""
    return {
        "context_length": 512,
        "embedding_length": shape.hidden,
        "block_count": shape.layers,
        "feed_forward_length": shape.ffn,
        "attention.head_count": shape.query_heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "attention.sliding_window": shape.sliding_window or 0,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.freq_base": 1e6,
    }


def random_weights(shape: GemmaShape = SHAPE, seed: int = 0) -> Weights:
    """Every tensor of the tiny Gemma, by its Hugging Face name."""
    random = np.random.default_rng(seed)
    sizes = tensor_shapes(shape)
    return {name: random.normal(0, 0.1, size).astype(np.float32) for name, size in sizes.items()}


def llama_cpp_name(name: str, shape: GemmaShape = SHAPE) -> str:
    """llama.cpp's name of a tensor, from its Hugging Face name."""
    if name == EMBEDDING:
        return "token_embd.weight"
    if name == FINAL_NORM:
        return "output_norm.weight"
    modules = {matrix.module: matrix.gguf for matrix in shape.family.matrices}
    modules |= {norm.module: norm.gguf for norm in shape.family.norms}
    layer, module = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{modules[module]}.weight"


def write_gguf(
    path: Path,
    weights: Weights | None = None,
    *,
    shape: GemmaShape = SHAPE,
    stored_as: Callable[[str], str] = lambda name: "F32",
    architecture: str | None = None,
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
        shape: of the model.
        architecture: general.architecture, if not that of the shape's family.
        metadata: replaces values of `metadata_of`; None leaves a key out.
        without: the Hugging Face name of a tensor to leave out.
        extra: further tensors, by their GGUF names.
        shards: number of files.
        tokenizer: replaces tokenizer.ggml keys.
    """
    prefix = path.with_suffix("")
    form = shape.family.gguf
    assert form is not None
    architecture = architecture or form.architecture
    weights = weights or random_weights(shape)
    writer = gguf.GGUFWriter(
        path if shards == 1 else prefix.with_suffix(".gguf"),
        architecture,
        split_max_tensors=-(-len(weights) // shards) if shards > 1 else 0,
    )
    for key, value in (metadata_of(shape) | dict(metadata or {})).items():
        if isinstance(value, int):
            writer.add_uint32(f"{architecture}.{key}", value)
        elif value is not None:
            writer.add_float32(f"{architecture}.{key}", value)
    _add_tokenizer(writer, tokenizer or {})
    for name, values in weights.items():
        if name == without:
            continue
        if name.endswith("norm.weight"):
            writer.add_tensor(llama_cpp_name(name, shape), values + np.float32(1))
            continue
        kind = gguf.GGMLQuantizationType[stored_as(name)]
        writer.add_tensor(llama_cpp_name(name, shape), gguf.quants.quantize(values, kind), raw_dtype=kind)
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
