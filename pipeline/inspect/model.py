"""Reading a .tflite: its signatures, and what they tell of context, prefill and adapters."""

import re
from collections.abc import Sequence

from pipeline.errors import InputError
from pipeline.formats.flatbuffer import ERRORS
from pipeline.formats.tflite import Document, Graph, bytes_of, read_document
from pipeline.formats.tflite_summary import IDENTIFIER
from pipeline.inspect.facts import Model, Signature, Tensor, total_by_type
from pipeline.inspect.matrices import read_matrices

LORA_PREFIXES = ("lora_", "query_w_prime", "key_w_prime", "value_w_prime", "post_w_prime")
"""How the runtime knows inputs for an adapter (LiteRT-LM 0.18)."""

KV_PREFIX = "kv_cache_"


def read_tflite(data: memoryview, name: str, where: str) -> Model:
    """Read a .tflite.

    Args:
        data: its bytes, mapped.
        name: what it is for.
        where: how to call it in a message.

    Raises:
        InputError: not a .tflite, or damaged.
    """
    if data[4:8] != IDENTIFIER:
        raise InputError(
            f"{where}: not a .tflite model: bytes 4 to 8 are {bytes(data[4:8])!r}, expected {IDENTIFIER!r}"
        )
    try:
        return _read(read_document(data), len(data), name)
    except EOFError as error:
        raise InputError(f"{where}: truncated: {error}; copy or convert it again") from None
    except ERRORS:
        raise InputError(f"{where}: a damaged .tflite model; copy or convert it again") from None


def natural(name: str) -> list[tuple[int, str]]:
    """A key by which layer 10 comes after layer 9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor; 0 for a type without a fixed size."""
    return bytes_of(tensor.shape, tensor.dtype)


def _read(document: Document, length: int, name: str) -> Model:
    signatures = [
        Signature(
            each.name,
            _side(document.graphs[each.graph], each.inputs),
            _side(document.graphs[each.graph], each.outputs),
        )
        for each in document.signatures
    ]
    matrices = tuple(sorted(read_matrices(document, length), key=lambda each: natural(each.name)))
    # Others' models have a decode signature for each kind of adapter, such as decode_lora_r16: one tells of the caches.
    decode = next((each for each in signatures if each.name.startswith("decode")), None)
    inputs = {each.name: each for each in decode.inputs} if decode else {}
    mask = inputs.get("mask")
    lengths = [each.name.removeprefix("prefill_") for each in signatures]
    return Model(
        name=name,
        bytes=length,
        signatures=tuple(signatures),
        matrices=matrices,
        totals=total_by_type(matrices),
        prefill_lengths=tuple(sorted(int(length) for length in lengths if length.isdigit())),
        context_length=mask.shape[-1] if mask and mask.shape else None,
        kv_cache_bytes=sum(tensor_bytes(each) for key, each in inputs.items() if key.startswith(KV_PREFIX)),
        lora_rank=_lora_rank(inputs),
    )


def _side(graph: Graph, named: Sequence[tuple[str, int]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(name, graph.tensors[index].shape, graph.tensors[index].dtype) for name, index in named
    )


def _lora_rank(inputs: dict[str, Tensor]) -> int | None:
    shapes = [each.shape for key, each in inputs.items() if key.startswith(LORA_PREFIXES)]
    # A pair is (hidden, rank) and (rank, out): the rank is the smallest length that all of them have.
    common = set.intersection(*(set(shape) for shape in shapes)) - {1} if shapes else set()
    return min(common, default=None)
