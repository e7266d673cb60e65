"""The file of a trained adapter, adapter.safetensors: the tensors of a tuning method, and a header with what
they belong to.

Tensors are named after the matrix that they change and the method's own ending, such as
`decoder_block_0.query.lora_a`; a tensor that replaces a weight has the weight's Hugging Face name. What the
tensors and the other header entries mean is known to the tuning method alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import is_adapter_name
from pipeline.foreign import parse_json
from pipeline.formats.safetensors import FLOATS, SafetensorsTensor, read_safetensors, write_arrays

HEADER = "pocketgemma"
"""The entry of the safetensors metadata that holds our header, a JSON document."""

FORMAT, BASE_DIGEST = "format", "base_digest"
"""The entries of the header that every method writes."""


@dataclass(frozen=True)
class AdapterSafetensors:
    """An adapter file whose header was read.

    Attributes:
        path: the file.
        format: the layout of the tensors, such as `pocketgemma-lora-1`.
        base_digest: digest of the preset that the adapter was trained on.
        settings: the other entries of the header.
        tensors: all tensors by name, sorted.
    """

    path: Path
    format: str
    base_digest: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, SafetensorsTensor]

    @property
    def matrices(self) -> list[str]:
        """Names of the adapted matrices, such as `decoder_block_0.query`."""
        names = dict.fromkeys(name.rpartition(".")[0] for name in self.tensors)
        return [name for name in names if is_adapter_name(name)]


def write_adapter_safetensors(
    path: Path,
    format: str,
    base_digest: str,
    settings: Mapping[str, Any],
    tensors: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write an adapter file; equal tensors give equal bytes.

    Args:
        path: the file.
        format: the layout of the tensors.
        base_digest: digest of the preset that the adapter was trained on.
        settings: further entries of the header, in JSON types.
        tensors: by name, float32.

    Raises:
        OSError: the disk refuses it.
    """
    document = {FORMAT: format, BASE_DIGEST: base_digest, **settings}
    write_arrays(tensors, path, {HEADER: json.dumps(document, sort_keys=True)})


def read_adapter_safetensors(path: Path) -> AdapterSafetensors:
    """Read the header of an adapter file; reads no tensor.

    Raises:
        InputError: no such file, damaged, truncated, or not an adapter of a finetune stage.
    """
    file = read_safetensors(path)
    if HEADER not in file.metadata:
        raise InputError(
            f"{path}: not a PocketGemma adapter; expected the adapter.safetensors of a finetune stage, or "
            "the folder of a PEFT adapter"
        )
    try:
        settings = dict(parse_json(file.metadata[HEADER]))
        format, base_digest = str(settings.pop(FORMAT)), str(settings.pop(BASE_DIGEST))
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: damaged: its header cannot be read; copy it again, or train again"
        ) from None
    wrong = [name for name, tensor in file.tensors.items() if tensor.dtype not in FLOATS]
    if wrong:
        raise InputError(f"{path}: {wrong[0]} is stored as {file.tensors[wrong[0]].dtype}, expected F32")
    return AdapterSafetensors(path, format, base_digest, settings, dict(sorted(file.tensors.items())))
