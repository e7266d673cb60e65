"""The file of a trained adapter, adapter.safetensors: every A and B, and a header with what they belong to.

Tensors are named after the matrix that they change (`decoder_block_0.query.lora_a` and `.lora_b`). An adapter that was trained for a
quantization recipe also has the scales of every matrix of the model, under the matrix's Hugging Face name and `.scales`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, read_safetensors

FORMAT = "pocketgemma-lora-1"

HEADER = "pocketgemma"
"""The entry of the safetensors metadata that holds our header, a JSON document."""

A, B, SCALES = ".lora_a", ".lora_b", ".scales"
"""Endings of tensor names."""


@dataclass(frozen=True)
class AdapterHeader:
    """What an adapter file records about its tensors.

    Attributes:
        rank: columns of every A.
        alpha: the scale of A B is alpha / rank.
        targets: short names of the adapted matrices.
        base_digest: digest of the preset that the adapter was trained on.
        recipe: the quantization recipe that it was trained for; empty for an ordinary adapter.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    base_digest: str
    recipe: str = ""


@dataclass(frozen=True)
class AdapterSafetensors:
    """An adapter file whose header was read.

    Attributes:
        header: what the file records about its tensors.
        factors: A and B by the name of the matrix, sorted.
        scales: scales by the Hugging Face name of the matrix, sorted; empty for an ordinary adapter.
        tensors: all tensors of the file by name.
    """

    header: AdapterHeader
    factors: Mapping[str, tuple[SafetensorsTensor, SafetensorsTensor]]
    scales: Mapping[str, SafetensorsTensor]
    tensors: Mapping[str, SafetensorsTensor]


def write_adapter_safetensors(
    path: Path,
    header: AdapterHeader,
    factors: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    scales: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write an adapter file; equal tensors give equal bytes.

    Args:
        path: the file.
        header: what the file records about its tensors; the recipe is written only with scales.
        factors: A and B by the name of the matrix, float32.
        scales: scales by the Hugging Face name of the matrix, float32.
    """
    from safetensors.numpy import save_file

    arrays = {name + SCALES: np.ascontiguousarray(scales[name]) for name in sorted(scales)}
    for name in sorted(factors):
        a, b = factors[name]
        arrays[name + A] = np.ascontiguousarray(a, np.float32)
        arrays[name + B] = np.ascontiguousarray(b, np.float32)
    document = {"format": FORMAT} | asdict(header)
    if not scales:
        del document["recipe"]
    # One entry only: safetensors writes the entries of a larger header in no fixed order.
    save_file(arrays, str(path), metadata={HEADER: json.dumps(document, sort_keys=True)})


def read_adapter_safetensors(path: Path) -> AdapterSafetensors:
    """Read the header of an adapter file and check its list of tensors; reads no tensor.

    Raises:
        InputError: no such file, damaged, truncated, not an adapter of this format, or an A without its B.
    """
    file = read_safetensors(path)
    try:
        document = json.loads(file.metadata.get(HEADER, "{}"))
        if document.get("format") != FORMAT:
            raise InputError(
                f"{path}: not a {FORMAT} file; expected the adapter.safetensors of a finetune stage, or the folder of a PEFT adapter"
            )
        header = AdapterHeader(
            document["rank"],
            document["alpha"],
            tuple(document["targets"]),
            document["base_digest"],
            document.get("recipe", ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: damaged: its header cannot be read; copy it or train again") from None
    wrong = [name for name, tensor in file.tensors.items() if tensor.dtype not in FLOATS]
    if wrong:
        raise InputError(f"{path}: {wrong[0]} is stored as {file.tensors[wrong[0]].dtype}, expected F32")
    tensors = dict(sorted(file.tensors.items()))
    scales = {name.removesuffix(SCALES): tensors[name] for name in tensors if name.endswith(SCALES)}
    names = dict.fromkeys(name.rpartition(".")[0] for name in tensors if not name.endswith(SCALES))
    missing = [name + part for name in names for part in (A, B) if name + part not in tensors]
    if missing or not names:
        raise InputError(f"{path}: lacks {', '.join(missing) or 'all tensors'}; train it again")
    factors = {name: (tensors[name + A], tensors[name + B]) for name in names}
    return AdapterSafetensors(header, factors, scales, tensors)
