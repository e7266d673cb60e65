"""The safetensors format: the header of a file, tensors read a few rows at a time as float32, and files
written in float32.

A file is eight bytes with the length of the header, the header as JSON, and the tensors one after another
(https://github.com/huggingface/safetensors#format). Needs no library: the package safetensors maps a file or
reads whole tensors, and both would count as memory of this process.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.foreign import LFS_POINTER, parse_json, refuse_pointer

LENGTH_BYTES = 8
METADATA = "__metadata__"

FOR_PYTORCH: Mapping[str, str] = {"format": "pt"}
"""The metadata that transformers asks for."""

FLOATS: Mapping[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
"""Float types that are read, as numpy reads them; bfloat16 is the upper half of a float32."""

BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
}
"""Bits of an element, by the format's name of its type."""

ROWS_AT_A_TIME = 1 << 23
"""Elements that are widened at a time when a file is written: 32 MB in float32."""

BYTES_AT_A_TIME = 1 << 25
"""Bytes that are copied at a time."""


@dataclass(frozen=True)
class SafetensorsTensor:
    """A tensor in a file.

    Attributes:
        path: the file.
        dtype: the format's name of the element type, such as BF16.
        shape: of the tensor.
        offset: its first byte in the file.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def elements(self) -> int:
        """How many values the tensor has."""
        return math.prod(self.shape)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Entries start..stop of the first axis, float32; only for the types in FLOATS."""
        return read_rows(self.path, FLOATS[self.dtype], self.shape, self.offset, start, stop)

    def read_all(self) -> NDArray[np.float32]:
        """The whole tensor, float32; only for the types in FLOATS."""
        return self.read(0, self.shape[0] if self.shape else 1).reshape(self.shape)


@dataclass(frozen=True)
class SafetensorsFile:
    """The header of a file, found to fit the file.

    Attributes:
        path: the file.
        metadata: the free text entries of the header.
        tensors: by name, in the order of the header.
    """

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, SafetensorsTensor]

    @property
    def elements(self) -> int:
        """How many values all tensors have together."""
        return sum(tensor.elements for tensor in self.tensors.values())


class Readable(Protocol):
    """A tensor that gives entries start..stop of its first axis, float32."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, start: int, stop: int, /) -> NDArray[np.float32]: ...


def read_safetensors(path: Path) -> SafetensorsFile:
    """Read the header of a .safetensors file and check it against the file; reads no tensor.

    Raises:
        InputError: no such file, not a safetensors file, damaged or truncated.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            refuse_pointer(path, file.read(len(LFS_POINTER)), "weights")
            file.seek(0)
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if length > size:
                raise ValueError("its header is longer than the file")
            header = _parse(file.read(length))
        metadata = header.pop(METADATA, None) or {}
        if not isinstance(metadata, dict):
            raise ValueError(f"its {METADATA} is not an object")
        begin = LENGTH_BYTES + length
        tensors = {name: _tensor(path, name, entry, begin) for name, entry in header.items()}
        end = begin + _check_offsets(header)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; expected a safetensors file") from None
    except ValueError as error:
        raise InputError(
            f"{path}: damaged, or not a safetensors file: {error}; copy or download it again"
        ) from None
    if size != end:
        raise InputError(
            f"{path}: {'truncated' if size < end else 'damaged'}: {size:,} bytes, its header declares "
            f"{end:,}; "
            "copy or download it again"
        )
    return SafetensorsFile(path, metadata, tensors)


def float_tensors(path: Path) -> dict[str, SafetensorsTensor]:
    """The tensors of a .safetensors file that can be read as float32, by name.

    Raises:
        InputError: as `read_safetensors`.
    """
    tensors = read_safetensors(path).tensors
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype in FLOATS}


def read_rows(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, start: int, stop: int
) -> NDArray[np.float32]:
    """Entries start..stop of the first axis of a tensor that lies in one piece in a file, float32.

    Args:
        path: the file.
        dtype: float32, float16, or uint16 for bfloat16.
        shape: of the whole tensor.
        offset: its first byte in the file.
        start, stop: of the first axis.
    """
    # Read, not mapped: what was read can go away, while mapped pages would count as this process's memory.
    entry = math.prod(shape[1:])
    place = offset + start * entry * dtype.itemsize
    flat = np.fromfile(path, dtype, (stop - start) * entry, offset=place)
    return widen(flat).reshape(stop - start, *shape[1:])


def widen(values: NDArray[Any]) -> NDArray[np.float32]:
    """float32 of float32, of float16, or of bfloat16 given as its 16 bits (numpy has no such type)."""
    if values.dtype == np.uint16:
        wide = values.astype(np.uint32)
        np.left_shift(wide, 16, out=wide)
        return wide.view(np.float32)
    return values.astype(np.float32, copy=False)


def write_float32(tensors: Mapping[str, Readable], path: Path) -> None:
    """Copy tensors into one file in float32, in pieces, in the order of the mapping."""
    with path.open("wb") as file:
        file.write(_header({name: ("F32", tensor.shape, 32) for name, tensor in tensors.items()}))
        for tensor in tensors.values():
            length = tensor.shape[0] if tensor.shape else 1
            rows = max(1, ROWS_AT_A_TIME * length // max(1, math.prod(tensor.shape)))
            for start in range(0, length, rows):
                tensor.read(start, min(start + rows, length)).tofile(file)


def write_arrays(arrays: Mapping[str, NDArray[np.float32]], path: Path, metadata: Mapping[str, str]) -> None:
    """Write arrays into one file, byte for byte as the package safetensors does, but without a copy of them
    in memory, and in place: the package replaces the file by one that only its owner may read.

    Args:
        arrays: by name, float32.
        path: the file.
        metadata: the free text entries of the header.

    Raises:
        OSError: the disk refuses it.
    """
    names = sorted(arrays)
    with path.open("wb") as file:
        entries = {name: ("F32", arrays[name].shape, 32) for name in names}
        file.write(_header(entries, metadata, (",", ":")))
        for name in names:
            np.asarray(arrays[name], "<f4", order="C").tofile(file)


def copy_tensors(tensors: Mapping[str, SafetensorsTensor], path: Path) -> None:
    """Copy tensors into one file in their own types, in pieces, in the order of the mapping."""
    with path.open("wb") as file:
        file.write(
            _header({name: (each.dtype, each.shape, BITS[each.dtype]) for name, each in tensors.items()})
        )
        for tensor in tensors.values():
            left = tensor.elements * BITS[tensor.dtype] // 8
            with tensor.path.open("rb") as source:
                source.seek(tensor.offset)
                while left:
                    piece = source.read(min(left, BYTES_AT_A_TIME))
                    file.write(piece)
                    left -= len(piece)


def _header(
    entries: Mapping[str, tuple[str, tuple[int, ...], int]],
    metadata: Mapping[str, str] = FOR_PYTORCH,
    separators: tuple[str, str] = (", ", ": "),
) -> bytes:
    """Everything before the first tensor; type, shape and bits of an element by name."""
    header: dict[str, Any] = {METADATA: dict(metadata)}
    end = 0
    for name, (dtype, shape, bits) in entries.items():
        begin, end = end, end + bits * math.prod(shape) // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=separators).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _parse(text: bytes) -> dict[str, Any]:
    """The header.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        header = parse_json(text)
    except ValueError as error:
        raise ValueError(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header


def _tensor(path: Path, name: str, entry: Any, begin: int) -> SafetensorsTensor:
    """What the header says about a tensor.

    Raises:
        ValueError: something is missing or of another type.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"its header describes {name} as {entry!r:.60}, expected an object")
    missing = [key for key in ("dtype", "shape", "data_offsets") if key not in entry]
    if missing:
        raise ValueError(f"its header lacks {missing[0]!r} of {name}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str):
        raise ValueError(f"the dtype of {name} is {dtype!r:.60}")
    if not _are_whole(shape) or min(shape, default=0) < 0:
        raise ValueError(f"{name} has a shape of {tuple(shape) if isinstance(shape, list) else shape!r:.60}")
    if not _are_whole(offsets) or len(offsets) != 2:
        raise ValueError(f"the data_offsets of {name} are {offsets!r:.60}")
    return SafetensorsTensor(path, dtype, tuple(shape), begin + offsets[0])


def _are_whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def _check_offsets(entries: Mapping[str, Any]) -> int:
    """Where the last tensor ends, counted from the end of the header.

    Raises:
        ValueError: a tensor does not follow the one before, or has not the bytes of its
            shape.
    """
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: tuple(item[1]["data_offsets"])):
        begin, stop = entry["data_offsets"]
        if begin != end or stop < begin:
            raise ValueError(f"{name} is at bytes {begin} to {stop}, expected it to begin at {end}")
        bits = BITS.get(entry["dtype"])
        if bits and 8 * (stop - begin) != bits * math.prod(entry["shape"]):
            raise ValueError(f"{name} has {stop - begin} bytes, which does not match its shape and type")
        end = stop
    return int(end)
