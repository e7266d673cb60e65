"""GGUF, the model file of llama.cpp: metadata and tensors, whole or split into shards.

Read with the package `gguf`, which also knows every quantization of llama.cpp.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.foreign import LFS_POINTER, refuse_pointer

if TYPE_CHECKING:
    from gguf import GGUFReader, ReaderTensor

MAGIC = b"GGUF"
UNQUANTIZED = ("F32", "F16", "BF16")

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a GGUF file.

    Attributes:
        name: llama.cpp's name.
        shape: rows first, as NumPy and Hugging Face have it; the file lists the axes the other way round.
        quantization: name of its type, such as Q4_K or F32.
    """

    name: str
    shape: tuple[int, ...]
    quantization: str
    _stored: "ReaderTensor"

    def values(self) -> NDArray[np.float32]:
        """The values in float32, dequantized.

        Raises:
            InputError: this version of the package `gguf` cannot dequantize the type.
        """
        from gguf.quants import dequantize

        try:
            values = dequantize(self._stored.data, self._stored.tensor_type)
        except NotImplementedError:
            raise InputError(
                f"tensor {self.name} is stored as {self.quantization}, which cannot be dequantized here; use "
                "a GGUF in another quantization, for example Q8_0"
            ) from None
        return np.ascontiguousarray(values.astype(np.float32, copy=False).reshape(self.shape))


@dataclass(frozen=True)
class Gguf:
    """A GGUF file with all of its shards.

    Attributes:
        paths: the shards in order; one if the file is whole.
        metadata: of the first shard, by key.
        tensors: of all shards, by name.
    """

    paths: tuple[Path, ...]
    metadata: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]

    @property
    def quantizations(self) -> dict[str, int]:
        """How many tensors are stored in each type, the most frequent first."""
        return dict(Counter(tensor.quantization for tensor in self.tensors.values()).most_common())

    @property
    def quantized(self) -> bool:
        """Whether any tensor was rounded to less than 16 bits."""
        return any(name not in UNQUANTIZED for name in self.quantizations)


def shards(path: Path) -> tuple[Path, ...]:
    """All files of a GGUF, given any of them: NAME-00001-of-00003.gguf, …; a file of another name is whole.

    Raises:
        InputError: a shard is missing.
    """
    match = _SHARD.fullmatch(path.name)
    if match is None:
        return (path,)
    count = int(match[3])
    found = tuple(
        path.with_name(f"{match[1]}-{number:05d}-of-{match[3]}.gguf") for number in range(1, count + 1)
    )
    missing = [shard.name for shard in found if not shard.is_file()]
    if missing:
        raise InputError(f"{path}: missing shards: {', '.join(missing)}; put them into the same folder")
    return found


def read_gguf(path: Path) -> Gguf:
    """Read metadata and the list of tensors; the values stay in the file until they are asked for.

    Args:
        path: a whole file, or one of its shards.

    Raises:
        InputError: not a GGUF, truncated, or a shard is missing.
    """
    paths = shards(path)
    readers = [_open(each) for each in paths]
    tensors: dict[str, GgufTensor] = {}
    for each, reader in zip(paths, readers, strict=True):
        for tensor in _tensors(reader):
            if tensor.name in tensors:
                raise InputError(f"{each}: duplicate tensor {tensor.name}; download the file again")
            tensors[tensor.name] = tensor
    metadata = {key: field.contents() for key, field in readers[0].fields.items()}
    expected = metadata.get("split.count", 1) or 1
    if expected != len(paths):
        raise InputError(
            f"{path}: one of {expected} shards, but its name does not end in -NNNNN-of-{expected:05d}.gguf; "
            "give the shards their original names"
        )
    total = metadata.get("split.tensors.count")
    if total is not None and total != len(tensors):
        raise InputError(f"{path}: its shards contain {len(tensors)} of {total} tensors; download it again")
    return Gguf(paths, metadata, tensors)


def _tensors(reader: "GGUFReader") -> Iterator[GgufTensor]:
    for tensor in reader.tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape.tolist()))
        yield GgufTensor(tensor.name, shape, tensor.tensor_type.name, tensor)


def _open(path: Path) -> "GGUFReader":
    import gguf

    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    refuse_pointer(path, start, "weights")
    if not start.startswith(MAGIC):
        raise InputError(f"{path}: not a GGUF file: it does not begin with {MAGIC.decode()}")
    try:
        return gguf.GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise InputError(
            f"{path}: truncated or damaged GGUF ({' '.join(str(error).split())[:120]}); download it again"
        ) from None
