"""A downloaded Hugging Face folder as the folder that every stage reads: checked, text only, with a
SentencePiece tokenizer.

Weights are checked before anything is computed with them: a tensor that is missing, quantized or not a number
would be found hours later, or never.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.families.config import read_json
from pipeline.families.decoder import text_only, text_part
from pipeline.families.family import GemmaShape
from pipeline.families.names import EMBEDDING, HEAD, is_derived_tensor, tensor_shapes, text_tensor
from pipeline.families.tokenizer_files import SENTENCEPIECE_FILE, TOKENIZER_JSON
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, copy_tensors, read_safetensors
from pipeline.gemma.foreign_weights import explain
from pipeline.gemma.presets import check_family, link_preset, weight_files
from pipeline.gemma.tokenizer_json import check_added_tokens, has_more_tokens, sentencepiece_model

VALUES_AT_A_TIME = 1 << 24
"""Values of a tensor that are checked at a time."""

Tensors = Mapping[str, SafetensorsTensor]


@dataclass(frozen=True)
class Imported:
    """What was taken from a folder.

    Attributes:
        shape: of the model.
        left_out: how many tensors of towers for images or sound were left out.
        rebuilt_tokenizer: whether the SentencePiece model was made from tokenizer.json.
    """

    shape: GemmaShape
    left_out: int
    rebuilt_tokenizer: bool


def import_hugging_face(source: Path, target: Path) -> Imported:
    """Write the text model of a folder to another folder.

    Files are linked where they can stay as they are. A multimodal folder, and one with other prefixes of
    names, is written again, in the types of the source.

    Args:
        source: config.json, safetensors, and tokenizer.model or tokenizer.json.
        target: created here.

    Raises:
        InputError: not supported, incomplete or quantized, NaN weights, an untied head, or a computation that
            KerasHub does not follow; names the file.
    """
    path = source / "config.json"
    document = read_json(path)
    shape = check_family(source)
    text = text_part(path, document, shape.family)
    _check_config(path, document, text, shape)
    read = shape.family.as_keras_reads(text)
    tensors = _read_tensors(source)
    kept = _kept(source, tensors, shape)
    rebuilt = _rebuild_tokenizer(source, shape)
    target.mkdir(parents=True, exist_ok=True)
    if read is document and kept.keys() == tensors.keys():
        link_preset(source, target)
    else:
        config = json.dumps(text_only(shape.family, read), indent=2, ensure_ascii=False)
        (target / path.name).write_text(config + "\n", encoding="utf-8")
        copy_tensors(kept, target / "model.safetensors")
        link_preset(source, target, without=("config.json", "*.safetensors", "*.safetensors.index.json"))
    if rebuilt is not None:
        (target / SENTENCEPIECE_FILE).unlink(missing_ok=True)
        (target / SENTENCEPIECE_FILE).write_bytes(rebuilt)
    left_out = sum(text_tensor(name) is None for name in tensors)
    return Imported(shape, left_out, rebuilt is not None)


def _check_config(
    path: Path, document: Mapping[str, Any], text: Mapping[str, Any], shape: GemmaShape
) -> None:
    quantization = document.get("quantization_config") or text.get("quantization_config")
    if quantization:
        named = isinstance(quantization, Mapping) and quantization.get("quant_method")
        method = named or "unknown method"
        raise InputError(
            f"{path}: the weights are quantized ({method}); use the unquantized model, and convert.recipe to "
            "quantize the result"
        )
    computation = shape.family.computation
    # A multimodal configuration may say it beside text_config.
    said = {"tie_word_embeddings": document.get("tie_word_embeddings"), **text}
    difference = computation.difference(said) if computation else None
    if difference:
        raise InputError(
            f"{path}: {difference}; KerasHub does not support this variant of {shape.family.name}"
        )


def _read_tensors(source: Path) -> dict[str, SafetensorsTensor]:
    """All tensors by their names in the files.

    Raises:
        InputError: no safetensors, one is damaged, or two hold the same tensor.
    """
    tensors: dict[str, SafetensorsTensor] = {}
    for path in weight_files(source):
        found = read_safetensors(path).tensors
        twice = min(tensors.keys() & found.keys(), default=None)
        if twice:
            raise InputError(
                f"{path}: contains {twice}, and so does {tensors[twice].path.name}; download both again"
            )
        tensors |= found
    return tensors


def _kept(source: Path, tensors: Tensors, shape: GemmaShape) -> dict[str, SafetensorsTensor]:
    """The tensors of the text model by the names of a text-only folder, checked.

    Raises:
        InputError: they are not those of the shape.
    """
    kept: dict[str, SafetensorsTensor] = {}
    names: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        ours = text_tensor(name)
        if ours is not None and not is_derived_tensor(name):
            names.setdefault(ours, []).append(name)
            kept[ours] = tensor
    foreign = explain(tensors)
    if foreign:
        raise InputError(f"{source}: {foreign}")
    twice = next((found for found in names.values() if len(found) > 1), None)
    if twice:
        raise InputError(
            f"{source}: has the same tensor twice, as {' and '.join(twice)}; save the model again with "
            "only one of them"
        )
    head = kept.pop(HEAD, None)
    wanted = tensor_shapes(shape)
    missing, unknown = wanted.keys() - kept.keys(), kept.keys() - wanted.keys()
    if missing or unknown:
        what = f"lack {min(missing)}" if missing else f"have {min(unknown)}, unknown in {shape.family.name}"
        more = len(missing) + len(unknown) - 1
        raise InputError(f"{source}: its weights {what}{f' ({more} more such tensors)' if more else ''}")
    for name, tensor in kept.items():
        if tensor.dtype not in FLOATS:
            raise InputError(
                f"{tensor.path}: {name} is stored as {tensor.dtype}, expected {', '.join(FLOATS)}; use the "
                "unquantized model"
            )
        if tensor.shape != wanted[name]:
            raise InputError(
                f"{tensor.path}: {name} has shape {tensor.shape}, config.json requires {wanted[name]}"
            )
        _check_finite(name, tensor)
    if head is not None and not _equal(head, kept[EMBEDDING]):
        raise InputError(
            f"{head.path}: its output projection ({HEAD}) differs from the embedding; use a model with a "
            "tied embedding"
        )
    return kept


def _rows(tensor: SafetensorsTensor) -> list[tuple[int, int]]:
    """First and last row of each piece of a tensor."""
    step = max(1, VALUES_AT_A_TIME * tensor.shape[0] // max(1, tensor.elements))
    return [(start, min(start + step, tensor.shape[0])) for start in range(0, tensor.shape[0], step)]


def _check_finite(name: str, tensor: SafetensorsTensor) -> None:
    for start, stop in _rows(tensor):
        if not np.isfinite(tensor.read(start, stop)).all():
            raise InputError(f"{tensor.path}: {name} contains NaN or infinite values; download it again")


def _equal(one: SafetensorsTensor, other: SafetensorsTensor) -> bool:
    return one.shape == other.shape and all(
        np.array_equal(one.read(*rows), other.read(*rows)) for rows in _rows(one)
    )


def _rebuild_tokenizer(source: Path, shape: GemmaShape) -> bytes | None:
    """The SentencePiece model made from tokenizer.json, where there is no other or that one lacks tokens.

    Raises:
        InputError: tokens were added that only an older form of file lists.
    """
    check_added_tokens(source)
    described, original = source / TOKENIZER_JSON, source / SENTENCEPIECE_FILE
    if not described.is_file() or (
        original.is_file() and not has_more_tokens(described, original, shape.vocabulary)
    ):
        return None
    return sentencepiece_model(described, shape.family.chat.specials, shape.vocabulary)
