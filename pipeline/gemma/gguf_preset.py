"""A GGUF file as a Hugging Face folder, which every stage reads: weights, configuration and tokenizer.

The weights are dequantized to float32. What the quantization lost stays lost, so prefer a base from Kaggle or
Hugging Face.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.families.family import Family, GemmaShape, GgufForm
from pipeline.families.names import EMBEDDING, FINAL_NORM, layer_tensor
from pipeline.families.registry import FAMILIES
from pipeline.formats.gguf import Gguf, GgufTensor, read_gguf
from pipeline.gemma.gguf_tokenizer import tokenizer_model

SUFFIX = ".gguf"

SHARD_BYTES = 2 << 30
"""A file of weights holds at most this many bytes, or one tensor: so much is in memory at a time."""

EMBEDDING_TENSOR, FINAL_NORM_TENSOR, HEAD_TENSOR = "token_embd.weight", "output_norm.weight", "output.weight"

VISION_ARCHITECTURE = "clip"
"""What llama.cpp calls the vision tower of any model, which it keeps in a file of its own (mmproj)."""


@dataclass(frozen=True)
class WrittenPreset:
    """What was written.

    Attributes:
        shape: of the model.
        quantizations: how many tensors the GGUF stores in each type.
        quantized: whether any of them has fewer than 16 bits.
    """

    shape: GemmaShape
    quantizations: dict[str, int]
    quantized: bool


def is_gguf(path: Path) -> bool:
    """Whether a file is a GGUF by its name."""
    return path.suffix.lower() == SUFFIX


def write_preset(path: Path, folder: Path) -> WrittenPreset:
    """Write a GGUF's model as a Hugging Face folder.

    Args:
        path: the GGUF file, or one of its shards.
        folder: created here.

    Raises:
        InputError: not a GGUF, truncated, of another architecture, a vision tower, or with tensors that this
            Gemma does not have; names the file.
    """
    source = read_gguf(path)
    family, form = _family(path, source)
    tokens = source.metadata.get("tokenizer.ggml.tokens") or ()
    embedding = source.tensors.get(EMBEDDING_TENSOR)
    rows = embedding.shape[0] if embedding else len(tokens)
    document = form.config(path, source.metadata) | {"vocab_size": rows}
    shape = family.read_transformers(path, document)
    names = gguf_names(shape)
    _check_tensors(path, source, names, shape)
    tokenizer = tokenizer_model(path, source.metadata)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(tokenizer)
    ids = {
        f"{name}_token_id": source.metadata.get(f"tokenizer.ggml.{key}_token_id")
        for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
    }
    _write_json(folder / "config.json", document | ids | {"dtype": "float32"})
    _write_weights(source, names, form.norm_offset, folder)
    return WrittenPreset(shape, source.quantizations, source.quantized)


def _family(path: Path, source: Gguf) -> tuple[Family, GgufForm]:
    architecture = source.metadata.get("general.architecture")
    if architecture == VISION_ARCHITECTURE:
        raise InputError(
            f"{path}: a vision tower without its text model; use the GGUF file of the text model"
        )
    forms = {family.gguf.architecture: (family, family.gguf) for family in FAMILIES.values() if family.gguf}
    # llama.cpp calls a family of its own by the same name.
    refused = FAMILIES.get(str(architecture))
    if refused and refused.refusal:
        raise InputError(f"{path}: {refused.refusal}")
    if architecture not in forms:
        raise InputError(
            f"{path}: general.architecture is {architecture!r}, expected {' or '.join(map(repr, forms))}"
        )
    return forms[architecture]


def gguf_names(shape: GemmaShape) -> dict[str, str]:
    """The Hugging Face name of each tensor, by its name in the GGUF."""
    modules = {matrix.gguf: matrix.module for matrix in shape.family.matrices}
    modules |= {norm.gguf: norm.module for norm in shape.family.norms}
    layers = {
        f"blk.{layer}.{name}.weight": layer_tensor(layer, module)
        for layer in range(shape.layers)
        for name, module in modules.items()
    }
    return {EMBEDDING_TENSOR: EMBEDDING, FINAL_NORM_TENSOR: FINAL_NORM} | layers


def _check_tensors(path: Path, source: Gguf, names: dict[str, str], shape: GemmaShape) -> None:
    if HEAD_TENSOR in source.tensors:
        raise InputError(
            f"{path}: its output projection ({HEAD_TENSOR}) is separate from the embedding; use a model "
            "with a tied embedding"
        )
    missing, unknown = names.keys() - source.tensors.keys(), source.tensors.keys() - names.keys()
    if missing or unknown:
        what = (
            f"lacks {min(missing)}" if missing else f"has {min(unknown)}, which {shape.family.name} does not"
        )
        more = len(missing) + len(unknown) - 1
        raise InputError(f"{path}: {what}{f' ({more} more such tensors)' if more else ''}; download it again")
    expected = {
        f"blk.{layer}.{matrix.gguf}.weight": matrix.shape(shape)
        for layer in range(shape.layers)
        for matrix in shape.family.matrices
    }
    for name, wanted in expected.items():
        if source.tensors[name].shape != wanted:
            raise InputError(
                f"{path}: {name} has shape {source.tensors[name].shape}, its metadata requires {wanted}; "
                "download it again"
            )


def _write_weights(source: Gguf, names: dict[str, str], norm_offset: float, folder: Path) -> None:
    shards = list(_shards(source, names))
    if len(shards) == 1:
        save_file(
            _values(source, names, norm_offset, shards[0]), folder / "model.safetensors", {"format": "pt"}
        )
        return
    weight_map: dict[str, str] = {}
    for number, tensors in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(_values(source, names, norm_offset, tensors), folder / name, {"format": "pt"})
        weight_map |= {names[tensor.name]: name for tensor in tensors}
    _write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})


def _shards(source: Gguf, names: dict[str, str]) -> Iterator[list[GgufTensor]]:
    shard: list[GgufTensor] = []
    size = 0
    for name in names:
        tensor = source.tensors[name]
        bytes_needed = 4 * int(np.prod(tensor.shape))
        if shard and size + bytes_needed > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(tensor)
        size += bytes_needed
    yield shard


def _values(
    source: Gguf, names: dict[str, str], norm_offset: float, tensors: list[GgufTensor]
) -> dict[str, NDArray[np.float32]]:
    values = {}
    for tensor in tensors:
        array = tensor.values()
        if not np.isfinite(array).all():
            raise InputError(f"{source.paths[0]}: tensor {tensor.name} contains NaN or infinite values")
        values[names[tensor.name]] = array - np.float32(norm_offset) if _is_norm(tensor.name) else array
    return values


def _is_norm(name: str) -> bool:
    return name.endswith("norm.weight")


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
