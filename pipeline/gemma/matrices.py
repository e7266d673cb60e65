"""The matrices of a Gemma by their Hugging Face names, read one at a time out of a preset in either form.

Needs no model library: the weights of a Hugging Face folder are safetensors, those of a KerasHub preset are HDF5. What is read of a KerasHub preset equals, to the bit, what `write_hugging_face` writes of it in float32.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.formats.safetensors import Readable, float_tensors, read_rows, widen
from pipeline.gemma.presets import weight_files
from pipeline.quantization.schemes import EMBEDDING

PROJECTIONS = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
"""Our short name of a matrix -> its Hugging Face name within a layer."""

HDF5_PATHS = {
    "attention/query_dense": "query",
    "attention/key_dense": "key",
    "attention/value_dense": "value",
    "attention/output_dense": "output",
    "gating_ffw": "gate",
    "gating_ffw_2": "up",
    "ffw_linear": "down",
}
"""Where KerasHub's decoder blocks keep their kernels in a .weights.h5."""

HDF5_BLOCK = re.compile(r"layers/\w*decoder_block(?:_(\d+))?/(.+)/vars/0")
HDF5_EMBEDDING = "layers/reversible_embedding/vars/0"

HUGGING_FACE_NAME = re.compile(
    r"model\.(?:embed_tokens|layers\.(\d+)\.(?:"
    + "|".join(map(re.escape, PROJECTIONS.values()))
    + r"))\.weight"
)


@dataclass(frozen=True)
class Hdf5Tensor:
    """A tensor in an HDF5 file.

    Attributes:
        path: the file.
        dtype: as numpy reads it; uint16 for bfloat16.
        shape: of the tensor.
        offset: its first byte in the file; None when HDF5 keeps it in pieces.
        name: its path inside the HDF5 file.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int | None
    name: str

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Entries start..stop of the first axis, float32."""
        if self.offset is not None:
            return read_rows(self.path, self.dtype, self.shape, self.offset, start, stop)
        import h5py

        with h5py.File(self.path, "r") as file:
            return widen(file[self.name][start:stop].view(self.dtype))


class Matrix:
    """A matrix in a file, (out, in), that is read when it is sliced; slices come as float32.

    A Keras kernel lies crosswise: it is read as a whole at the first slice and kept as long as this object is.

    Attributes:
        shape: (out, in).
    """

    def __init__(self, tensor: Readable, target: str | None = None) -> None:
        self._tensor = tensor
        self._target = target
        self._kernel: NDArray[np.float32] | None = None
        # A view of nothing tells the shape without reading.
        nothing = np.broadcast_to(np.float32(0), tensor.shape)
        rows, columns = (as_matrix(target, nothing) if target else nothing).shape
        self.shape = (rows, columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Rows of the matrix, (rows, in), float32, contiguous; a slice without a step."""
        start, stop, _ = rows.indices(len(self))
        if self._target is None:
            return self._tensor.read(start, stop)
        if self._kernel is None:
            self._kernel = as_matrix(self._target, self._tensor.read(0, self._tensor.shape[0]))
        return np.ascontiguousarray(self._kernel[start:stop])


def matrix_name(name: str) -> str:
    """The Hugging Face name of what our adapters call `decoder_block_3.query`.

    Raises:
        InputError: no such name.
    """
    layer, target = parts(name)
    return f"model.layers.{layer}.{PROJECTIONS[target]}.weight"


def parts(name: str) -> tuple[int, str]:
    """Layer and target of `decoder_block_3.query`: 3 and query.

    Raises:
        InputError: no such name.
    """
    match = re.fullmatch(r"decoder_block_(\d+)\.(\w+)", name)
    if match is None or match[2] not in PROJECTIONS:
        raise InputError(f"{name}: no matrix's name; expected decoder_block_N.{'|'.join(PROJECTIONS)}")
    return int(match[1]), match[2]


def as_matrix(target: str, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Keras kernel, or a LoRA delta in its shape, as the matrix that Hugging Face and LiteRT hold.

    Args:
        target: query, key, value, output, gate, up or down.
        kernel: (heads, hidden, head_dim) for query, key and value, (heads, head_dim, hidden) for output, (in, out) for the others.

    Returns:
        (out, in); maybe a view.
    """
    if target in ("query", "key", "value"):
        return kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1])
    if target == "output":
        return kernel.transpose(2, 0, 1).reshape(kernel.shape[2], -1)
    return kernel.T


class PresetMatrices:
    """The token embedding and the seven matrices of every layer of a preset folder."""

    def __init__(self, folder: Path) -> None:
        """Look for the matrices; reads no weights.

        Raises:
            InputError: no weights, a damaged file, or no Gemma's.
        """
        self.folder = folder
        found: dict[str, tuple[Readable, str | None]] = {}
        for path in weight_files(folder):
            if path.suffix == ".safetensors":
                tensors = float_tensors(path)
                found |= {
                    name: (tensors[name], None) for name in tensors if HUGGING_FACE_NAME.fullmatch(name)
                }
            else:
                found |= _hdf5(path)
        if EMBEDDING not in found:
            raise InputError(f"{folder}: no {EMBEDDING} among its weights; expected a text-only Gemma")
        self._found = {name: found[name] for name in sorted(found, key=_order)}

    def names(self) -> list[str]:
        """The embedding first, then layer by layer."""
        return list(self._found)

    def shape(self, name: str) -> tuple[int, int]:
        """(out, in)."""
        return self[name].shape

    def read(self, name: str) -> NDArray[np.float32]:
        """A whole matrix, (out, in), float32."""
        return self[name][:]

    def __getitem__(self, name: str) -> Matrix:
        """A matrix that is read when it is sliced.

        Raises:
            InputError: the preset has none of that name.
        """
        if name not in self._found:
            raise InputError(f"{self.folder}: has no matrix {name}")
        return Matrix(*self._found[name])

    def items(self) -> Iterator[tuple[str, Matrix]]:
        """Names and matrices; each is read when it is sliced."""
        return ((name, self[name]) for name in self._found)


def _hdf5(path: Path) -> dict[str, tuple[Hdf5Tensor, str | None]]:
    import h5py

    found: dict[str, tuple[Hdf5Tensor, str | None]] = {}

    def visit(place: str, item: Any) -> None:
        block = HDF5_BLOCK.fullmatch(place)
        if not isinstance(item, h5py.Dataset) or not (place == HDF5_EMBEDDING or block):
            return
        # Keras stores bfloat16 as two opaque bytes.
        dtype = np.dtype(np.uint16) if item.dtype.kind == "V" else item.dtype
        if dtype.type not in (np.uint16, np.float16, np.float32):
            raise InputError(
                f"{path}: {place} is stored as {item.dtype}, expected float32, float16 or bfloat16"
            )
        tensor = Hdf5Tensor(path, dtype, item.shape, item.id.get_offset(), place)
        if block is None:
            found[EMBEDDING] = (tensor, None)
        elif block[2] in HDF5_PATHS:
            target = HDF5_PATHS[block[2]]
            found[matrix_name(f"decoder_block_{block[1] or 0}.{target}")] = (tensor, target)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a whole HDF5 file ({reason}); fetch it again") from None
    return found


def _order(name: str) -> tuple[int, int]:
    """The embedding, then by layer, and within a layer as PROJECTIONS has them."""
    match = HUGGING_FACE_NAME.fullmatch(name)
    if match is None or match[1] is None:
        return -1, 0
    kinds = list(PROJECTIONS.values())
    return int(match[1]), kinds.index(name.removesuffix(".weight").split(".", 3)[3])
