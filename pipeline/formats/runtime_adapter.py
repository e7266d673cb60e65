"""The file of a run-time adapter: a .tflite with LoRA tensors and nothing to compute.

LiteRT-LM 0.18 reads the tensors by name, each from an offset of the file outside the flatbuffer, and takes
the rank from where a metadata entry `lora_rank` would have its buffer's number. It maps the file in blocks,
so the file is padded. Tensors that are not in the file are zeros. It checks little of what it reads:
`read_adapter_file` verifies every byte first.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import parse_runtime_name, runtime_name
from pipeline.foreign import parse_json
from pipeline.formats.tflite import IDENTIFIER, Tflite, read_tflite

BLOCK = 64 * 1024
"""The file's size is a multiple of this: the runtime maps whole blocks."""

ALIGNMENT = 64
"""Tensors begin at multiples of this, in bytes."""

RANK, MANIFEST = "lora_rank", "pocketgemma"
"""Names of the metadata entries: the runtime's, and ours with a JSON document."""

FORMAT = "pocketgemma-runtime-adapter-1"
NO_DIGEST = "0" * 64
"""Stands in the place of the digest while the digest is computed."""

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A (in, rank) and B (rank, out), float32, so that an output row gets x A B."""

_DIGEST = re.compile(rb'"sha256": "([0-9a-f]{64})"')


@dataclass(frozen=True)
class AdapterFile:
    """An adapter file that was read and verified.

    Attributes:
        path: the file.
        name: what the adapter is called.
        rank: of every tensor, padding included.
        base_digest: digest of the preset that it was trained on.
        shapes: shape of each tensor by the runtime's name; a missing tensor is zero.
        sha256: of the file with zeros in place of this digest.
    """

    path: Path
    name: str
    rank: int
    base_digest: str
    shapes: Mapping[str, tuple[int, ...]]
    sha256: str

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The tensors by the runtime's name, float32."""
        data = self.path.read_bytes()
        return {
            name: np.frombuffer(data, "<f4", int(np.prod(shape)), offset).reshape(shape)
            for name, (shape, offset) in _tensors(read_tflite(data, str(self.path))).items()
        }


def write_adapter_file(
    path: Path, factors: Mapping[tuple[str, int], Factors], *, rank: int, base_digest: str, name: str
) -> None:
    """Write an adapter file; equal tensors give equal bytes.

    Args:
        path: the file.
        factors: A (in, r) and B (r, out) by (target, layer), the scale multiplied in; none at all gives an
            adapter that changes nothing.
        rank: of the base's LoRA inputs; smaller ranks are padded with zeros.
        base_digest: digest of the preset that the adapter belongs to.
        name: what the adapter is called.

    Raises:
        InputError: a factor's rank is larger than `rank`.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    for (target, layer), (a, b) in sorted(factors.items(), key=lambda item: (item[0][1], item[0][0])):
        if a.shape[1] > rank:
            raise InputError(f"{target} of layer {layer} has rank {a.shape[1]}, but the base expects {rank}")
        missing = rank - a.shape[1]
        tensors[runtime_name(target, "a", layer)] = np.pad(a, ((0, 0), (0, missing)))
        tensors[runtime_name(target, "b", layer)] = np.pad(b, ((0, missing), (0, 0)))
    manifest = {"format": FORMAT, "name": name, "rank": rank, "base_digest": base_digest, "sha256": NO_DIGEST}
    text = json.dumps(manifest).encode("utf-8")
    # Offsets are stored in fixed width, so the flatbuffer is as long with the right ones as with any others.
    end = len(_flatbuffer(tensors, [ALIGNMENT] * len(tensors), rank, text))
    offsets = []
    for tensor in tensors.values():
        offsets.append(_round_up(end, ALIGNMENT))
        end = offsets[-1] + tensor.nbytes
    content = bytearray(_round_up(end, BLOCK))
    header = _flatbuffer(tensors, offsets, rank, text)
    content[: len(header)] = header
    for tensor, offset in zip(tensors.values(), offsets, strict=True):
        content[offset : offset + tensor.nbytes] = tensor.astype("<f4").tobytes()
    place = content.index(text)
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    content[place : place + len(text)] = json.dumps(manifest).encode("utf-8")
    path.write_bytes(content)


def read_adapter_file(path: Path) -> AdapterFile:
    """Read an adapter file and verify its content.

    Raises:
        InputError: missing, not an adapter file of PocketGemma, truncated or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; expected an adapter file (.tflite)"
        ) from None
    if content[4:8] != IDENTIFIER:
        raise InputError(
            f"{path}: not a .tflite file; expected an adapter that `pocketgemma adapter` or a convert stage "
            "wrote"
        )
    tflite = read_tflite(content, str(path))
    try:
        rank, manifest = _metadata(tflite, content)
        tensors = _tensors(tflite)
        if manifest["format"] != FORMAT or manifest["rank"] != rank:
            raise KeyError
        name, base_digest, digest = str(manifest["name"]), str(manifest["base_digest"]), manifest["sha256"]
    except (KeyError, IndexError, ValueError, TypeError):
        raise InputError(
            f"{path}: not a PocketGemma run-time adapter, or damaged: its description cannot be read; "
            "write it again with `pocketgemma adapter`"
        ) from None
    if len(content) % BLOCK:
        raise InputError(
            f"{path}: truncated: {len(content):,} bytes, expected {_round_up(len(content), BLOCK):,}; copy "
            "or write it again"
        )
    zeroed = _DIGEST.sub(b'"sha256": "' + NO_DIGEST.encode() + b'"', content, count=1)
    if hashlib.sha256(zeroed).hexdigest() != digest:
        raise InputError(f"{path}: damaged: its content does not match its digest; copy or write it again")
    shapes = {tensor: shape for tensor, (shape, _) in tensors.items()}
    return AdapterFile(path, name, rank, base_digest, shapes, digest)


def _flatbuffer(
    tensors: Mapping[str, NDArray[np.float32]], offsets: list[int], rank: int, text: bytes
) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    buffers = [schema.BufferT()]
    entries = []
    for (name, tensor), offset in zip(tensors.items(), offsets, strict=True):
        entry = schema.TensorT(
            name=name, shape=list(tensor.shape), type=schema.TensorType.FLOAT32, buffer=len(buffers)
        )
        entries.append(entry)
        buffers.append(schema.BufferT(offset=offset, size=tensor.nbytes))
    # The entry of the rank names a buffer by the rank: there should be one of this number, and not the
    # manifest's.
    buffers += [schema.BufferT() for _ in range(rank + 1 - len(buffers))]
    manifest = schema.MetadataT(name=MANIFEST, buffer=len(buffers))
    buffers.append(schema.BufferT(data=np.frombuffer(text, np.uint8)))
    graph = schema.SubGraphT(name="lora_params", tensors=entries, inputs=[], outputs=[], operators=[])
    model = schema.ModelT(
        version=3,
        description="lora_params",
        operatorCodes=[],
        subgraphs=[graph],
        buffers=buffers,
        metadata=[schema.MetadataT(name=RANK, buffer=rank), manifest],
    )
    builder = flatbuffers.Builder(BLOCK)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def is_runtime_adapter(tflite: Tflite) -> bool:
    """Whether a .tflite is a run-time adapter, ours or another's: tensors with a rank, and no signature."""
    return not tflite.signatures and RANK in tflite.metadata and len(tflite.graphs) == 1


def _metadata(tflite: Tflite, content: bytes) -> tuple[int, dict[str, Any]]:
    """The rank, and our manifest.

    Raises:
        KeyError, IndexError, ValueError: one of them is missing or damaged.
    """
    buffer = tflite.buffers[tflite.metadata[MANIFEST]]
    manifest = parse_json(content[buffer.begin : buffer.end])
    return tflite.metadata[RANK], dict(manifest)


def _tensors(tflite: Tflite) -> dict[str, tuple[tuple[int, ...], int]]:
    """Shape and offset of each LoRA tensor by name.

    Raises:
        ValueError: something other than LoRA tensors is in the file.
    """
    (graph,) = tflite.graphs
    found = {}
    for tensor in graph.tensors:
        buffer = tflite.buffers[tensor.buffer]
        if (
            parse_runtime_name(tensor.name) is None
            or tensor.dtype != "FLOAT32"
            or buffer.size != tensor.bytes
        ):
            raise ValueError(f"not a LoRA tensor: {tensor.name}")
        found[tensor.name] = (tensor.shape, buffer.begin)
    return found


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
