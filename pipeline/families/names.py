"""Names of matrices across libraries. Every family calls a matrix by the same name, so a name alone says
which one it is.

| where | example |
| --- | --- |
| our adapters | decoder_block_3.query |
| Hugging Face | model.layers.3.self_attn.q_proj.weight |
| HDF5 in a KerasHub preset | layers/gemma3_decoder_block_3/attention/query_dense/vars/0 |
| LiteRT-LM's run-time adapters | lora_atten_q_a_prime_weight_3 |
"""

import re
from typing import Literal

from pipeline.errors import InputError
from pipeline.families.family import (
    EMBEDDING_MATRIX,
    FINAL_NORM_KIND,
    GemmaShape,
    MatrixKind,
    OtherMatrix,
)
from pipeline.families.registry import FAMILIES

MATRICES: dict[str, MatrixKind] = {
    matrix.name: matrix for family in FAMILIES.values() for matrix in family.matrices
}
"""The matrices of all families by their short name."""

OTHER_MATRICES: dict[str, OtherMatrix] = {
    matrix.tensor: matrix for family in FAMILIES.values() for matrix in family.other_matrices
}
"""The matrices that belong to no layer, of all families, by their Hugging Face name."""

TARGETS = tuple(MATRICES)
"""Short names of the matrices that can carry an adapter."""

SHARED_TARGETS = tuple(
    name for name in TARGETS if all(name in {m.name for m in family.matrices} for family in FAMILIES.values())
)
"""Those that the layers of every family have. They get an adapter unless the recipe says otherwise."""

ALL_LINEAR = "all-linear"
"""PEFT's name for the matrices of a layer, here `SHARED_TARGETS`."""

RUNTIME_TARGETS = tuple(name for name, matrix in MATRICES.items() if matrix.runtime_adapter)
"""Those that can carry an adapter that is swapped at run time: attention only."""

EMBEDDING = EMBEDDING_MATRIX.tensor
"""The tied embedding by its Hugging Face name: also the projection onto the vocabulary."""

FINAL_NORM = FINAL_NORM_KIND.tensor
"""The norm after the last layer by its Hugging Face name."""

HEAD = "lm_head.weight"
"""The projection onto the vocabulary by its Hugging Face name, where a folder stores it beside the
embedding."""

EMBEDDING_MODULE = "embed_tokens"

_OTHER_TENSORS = {*OTHER_MATRICES} | {
    norm.tensor for family in FAMILIES.values() for norm in family.other_norms
}
_FIRST_PARTS = {"layers", "lm_head"} | {name.split(".")[1] for name in _OTHER_TENSORS}

_TEXT_TENSOR = re.compile(
    r"(?:(?:model\.)?language_model\.)?(?:model\.)?((?:"
    + "|".join(re.escape(name) for name in sorted(_FIRST_PARTS))
    + r")\..+)"
)
"""Prefixes of the text decoder: none or model. in text-only folders, language_model.model. in older
multimodal ones, model.language_model. in newer ones."""
_TOWER = re.compile(r"/?(?:_?layers/)?\w*(?:vision|audio)_encoder(?:/.*)?")
_DERIVED = ".rotary_emb.inv_freq"

_HDF5_KERNEL = re.compile(r"layers/\w*decoder_block(?:_(\d+))?/(.+)/vars/0")
_ADAPTER_NAME = re.compile(r"decoder_block_(\d+)\.(\w+)")
_OTHER_ORDER = tuple(OTHER_MATRICES)
_MODULES = {matrix.module: matrix for matrix in MATRICES.values()}
_HUGGING_FACE_NAME = re.compile(
    r"model\.layers\.(\d+)\.(" + "|".join(map(re.escape, _MODULES)) + r")\.weight"
)
_TARGETS_BY_NAME = {
    name: matrix.name
    for matrix in MATRICES.values()
    for name in (matrix.keras_layer, matrix.module, matrix.module.rpartition(".")[2])
} | {target: target for target in TARGETS}
_LETTERS = {matrix.runtime_letter: matrix.name for matrix in MATRICES.values() if matrix.runtime_letter}
_WORDS = {matrix.runtime_word: matrix.name for matrix in MATRICES.values() if matrix.runtime_word}
_RUNTIME_NAME = re.compile(rf"lora_atten_([{''.join(_LETTERS)}])_([ab])_prime_weight_(\d+)")
_OTHER_RUNTIME_NAME = re.compile(rf"({'|'.join(_WORDS)})_w_prime_(left|right)_(\d+)")

RUNTIME_PREFIXES = ("lora_", *(f"{word}_w_prime" for word in _WORDS))
"""How the names of all inputs for a run-time adapter begin (LiteRT-LM 0.18)."""

Part = Literal["a", "b"]


def targets_named(name: str) -> tuple[str, ...]:
    """The short names of the matrices that a name stands for: a short name, the module's name in Hugging Face
    (`q_proj` or `self_attn.q_proj`), the layer's in Keras, or `all-linear`. An unknown name stays as it
    is."""
    if name == ALL_LINEAR:
        return SHARED_TARGETS
    return (_TARGETS_BY_NAME.get(name, name),)


def adapter_name(layer: int, target: str) -> str:
    """What our adapters call a matrix."""
    return f"{keras_block(layer)}.{target}"


def keras_block(layer: int) -> str:
    """KerasHub's name of a decoder block."""
    return f"decoder_block_{layer}"


def parse_adapter_name(name: str) -> tuple[int, str]:
    """Layer and target of a matrix by its name in our adapters.

    Raises:
        InputError: no such name.
    """
    match = _ADAPTER_NAME.fullmatch(name)
    if match is None or match[2] not in MATRICES:
        raise InputError(f"{name}: not a matrix; expected decoder_block_N.{'|'.join(MATRICES)}")
    return int(match[1]), match[2]


def is_adapter_name(name: str) -> bool:
    """Whether a name is that of a matrix in our adapters."""
    match = _ADAPTER_NAME.fullmatch(name)
    return match is not None and match[2] in MATRICES


def hugging_face_name(name: str) -> str:
    """The Hugging Face name of a matrix by its name in our adapters.

    Raises:
        InputError: no such name.
    """
    layer, target = parse_adapter_name(name)
    return layer_tensor(layer, MATRICES[target].module)


def layer_tensor(layer: int, module: str) -> str:
    """The Hugging Face name of the weight of a module within a layer."""
    return f"model.layers.{layer}.{module}.weight"


def layer_scalar(layer: int, name: str) -> str:
    """The Hugging Face name of a single number of a layer."""
    return f"model.layers.{layer}.{name}"


def parse_hugging_face_name(name: str) -> tuple[int, str] | None:
    """Layer and target of a layer's matrix by its Hugging Face name; None for any other tensor, the embedding
    included."""
    match = _HUGGING_FACE_NAME.fullmatch(name)
    return (int(match[1]), _MODULES[match[2]].name) if match else None


def tensor_shapes(shape: GemmaShape) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a text model, by its name in a text-only Hugging Face folder."""
    scalars = {
        layer_scalar(layer, name): (1,) for layer in range(shape.layers) for name in shape.family.scalars
    }
    return {**trained_shapes(shape), **scalars}


def trained_shapes(shape: GemmaShape) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a text model that training can change: its matrices and its norms. Scalars
    are constants in both libraries."""
    return {**matrix_shapes(shape), **norm_shapes(shape)}


def norm_shapes(shape: GemmaShape) -> dict[str, tuple[int, ...]]:
    """The shape of the scales of every norm of a text model, by their Hugging Face name."""
    shapes: dict[str, tuple[int, ...]] = {
        norm.tensor: (norm.size(shape),) for norm in shape.family.other_norms
    }
    for layer in range(shape.layers):
        own = shape.in_layer(layer)
        shapes |= {layer_tensor(layer, norm.module): (norm.size(own),) for norm in shape.norms_in(layer)}
    return shapes


def matrix_shapes(shape: GemmaShape) -> dict[str, tuple[int, int]]:
    """(out, in) of every matrix of a text model, by its Hugging Face name."""
    shapes = {matrix.tensor: matrix.shape(shape) for matrix in shape.family.other_matrices}
    for layer in range(shape.layers):
        own = shape.in_layer(layer)
        shapes |= {
            layer_tensor(layer, matrix.module): matrix.shape(own) for matrix in shape.matrices_in(layer)
        }
    return shapes


def text_tensor(name: str) -> str | None:
    """The name that a tensor of a Hugging Face folder has in a text-only folder; None for a tensor of a tower
    for images or sound."""
    match = _TEXT_TENSOR.fullmatch(name)
    if match is None:
        return None
    return match[1] if match[1] == HEAD else f"model.{match[1]}"


def is_tower_path(path: str) -> bool:
    """Whether a path in a KerasHub .weights.h5 leads to a tower for images or sound."""
    return _TOWER.fullmatch(path) is not None


def is_derived_tensor(name: str) -> bool:
    """Whether a tensor follows from the configuration: some folders store frequencies of rotary
    embeddings."""
    return name.endswith(_DERIVED)


def is_matrix(name: str) -> bool:
    """Whether a Hugging Face name is that of a matrix, in a layer or outside."""
    return name in OTHER_MATRICES or parse_hugging_face_name(name) is not None


def is_lookup(name: str) -> bool:
    """Whether a Hugging Face name is that of a table of which each token takes a row."""
    return name in OTHER_MATRICES and OTHER_MATRICES[name].lookup


def matrix_order(name: str) -> tuple[int, int]:
    """Sort key of Hugging Face names: the matrices of no layer, the embedding first, then layer by layer,
    each in the order in which a token meets its matrices."""
    found = parse_hugging_face_name(name)
    return (-1, _OTHER_ORDER.index(name)) if found is None else (found[0], TARGETS.index(found[1]))


def parse_hdf5_path(path: str) -> tuple[int, str] | None:
    """Layer and target of a layer's kernel by its path in a KerasHub .weights.h5; None for anything else."""
    match = _HDF5_KERNEL.fullmatch(path)
    if match is None:
        return None
    target = next((each.name for each in MATRICES.values() if each.hdf5_path == match[2]), None)
    return (int(match[1] or 0), target) if target else None


def other_of_hdf5_path(path: str) -> OtherMatrix | None:
    """The matrix of no layer that a KerasHub .weights.h5 has at a path."""
    return next((matrix for matrix in OTHER_MATRICES.values() if matrix.hdf5_path == path), None)


def last_module_names() -> tuple[str, ...]:
    """Last part of each Hugging Face module, in the order in which a token meets them: embed_tokens, q_proj,
    …"""
    return (EMBEDDING_MODULE, *(matrix.module.rpartition(".")[2] for matrix in MATRICES.values()))


def runtime_name(target: str, part: str, layer: int) -> str:
    """The runtime's name of a tensor of a run-time adapter.

    Args:
        target: one of RUNTIME_TARGETS.
        part: `a`, of shape (in, rank), or `b`, (rank, out).
        layer: from 0.
    """
    return f"lora_atten_{MATRICES[target].runtime_letter}_{part}_prime_weight_{layer}"


def parse_runtime_name(name: str) -> tuple[str, str, int] | None:
    """(target, part, layer) of a tensor of a run-time adapter; None for any other name."""
    found = _RUNTIME_NAME.fullmatch(name)
    return (_LETTERS[found[1]], found[2], int(found[3])) if found else None


def parse_any_runtime_name(name: str) -> tuple[str, str, int] | None:
    """As `parse_runtime_name`, also by the other names that the runtime accepts."""
    found = _OTHER_RUNTIME_NAME.fullmatch(name)
    if found:
        return _WORDS[found[1]], "a" if found[2] == "left" else "b", int(found[3])
    return parse_runtime_name(name)
