"""The matrices of a Gemma by their Hugging Face names, read one at a time from a preset in either form.

Needs no model library: the weights of a Hugging Face folder are safetensors, those of a KerasHub preset are
HDF5. Values read from a KerasHub preset are bit-identical to what `write_hugging_face` writes of it in
float32.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import (
    EMBEDDING,
    MATRICES,
    adapter_name,
    hugging_face_name,
    is_matrix,
    matrix_order,
    other_of_hdf5_path,
    parse_hdf5_path,
)
from pipeline.formats.safetensors import Readable, float_tensors, read_rows, widen
from pipeline.gemma.presets import weight_files


@dataclass(frozen=True)
class Hdf5Tensor:
    """A tensor in an HDF5 file.

    Attributes:
        path: the file.
        dtype: as numpy reads it; uint16 for bfloat16.
        shape: of the tensor.
        offset: its first byte in the file; None if HDF5 stores it in chunks.
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


AsMatrix = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Turns a Keras kernel into a matrix (out, in)."""


class Matrix:
    """A matrix in a file, (out, in), that is read when it is sliced; slices come as float32.

    A Keras kernel is transposed: it is read as a whole at the first slice, and kept as long as this object
    exists.

    Attributes:
        shape: (out, in).
    """

    def __init__(self, tensor: Readable, as_matrix: AsMatrix | None = None) -> None:
        self._tensor = tensor
        self._as_matrix = as_matrix
        self._kernel: NDArray[np.float32] | None = None
        # A broadcast view has the shape without reading anything.
        nothing = np.broadcast_to(np.float32(0), tensor.shape)
        rows, columns = (as_matrix(nothing) if as_matrix else nothing).shape
        self.shape: tuple[int, int] = (rows, columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Rows of the matrix, (rows, in), float32, contiguous; a slice without a step."""
        start, stop, _ = rows.indices(len(self))
        if self._as_matrix is None:
            return self._tensor.read(start, stop)
        if self._kernel is None:
            self._kernel = self._as_matrix(self._tensor.read(0, self._tensor.shape[0]))
        return np.ascontiguousarray(self._kernel[start:stop])


class PresetMatrices:
    """The matrices of every layer in a preset folder, and those of no layer: the token embedding first."""

    def __init__(self, folder: Path) -> None:
        """Locate the matrices; reads no weights.

        Raises:
            InputError: no weights, a damaged file, or not a Gemma.
        """
        self.folder = folder
        found: dict[str, tuple[Readable, AsMatrix | None]] = {}
        for path in weight_files(folder):
            if path.suffix == ".safetensors":
                tensors = float_tensors(path)
                found |= {name: (tensors[name], None) for name in tensors if is_matrix(name)}
            else:
                found |= _hdf5(path)
        if EMBEDDING not in found:
            raise InputError(f"{folder}: no {EMBEDDING} among its weights; expected a text-only Gemma")
        self._found = {name: found[name] for name in sorted(found, key=matrix_order)}

    def names(self) -> list[str]:
        """Those of no layer, the embedding first, then layer by layer."""
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
            InputError: the preset has no matrix of that name.
        """
        if name not in self._found:
            raise InputError(f"{self.folder}: no matrix {name}")
        return Matrix(*self._found[name])

    def items(self) -> Iterator[tuple[str, Matrix]]:
        """Names and matrices; each is read when it is sliced."""
        return ((name, self[name]) for name in self._found)


def _hdf5(path: Path) -> dict[str, tuple[Hdf5Tensor, AsMatrix | None]]:
    import h5py

    found: dict[str, tuple[Hdf5Tensor, AsMatrix | None]] = {}

    def visit(name: str, item: Any) -> None:
        kernel, other = parse_hdf5_path(name), other_of_hdf5_path(name)
        if not isinstance(item, h5py.Dataset) or not (other or kernel):
            return
        # Keras stores bfloat16 as two opaque bytes.
        dtype = np.dtype(np.uint16) if item.dtype.kind == "V" else item.dtype
        if dtype.type not in (np.uint16, np.float16, np.float32):
            raise InputError(
                f"{path}: {name} is stored as {item.dtype}, expected float32, float16 or bfloat16"
            )
        tensor = Hdf5Tensor(path, dtype, item.shape, item.id.get_offset(), name)
        if other:
            found[other.tensor] = (tensor, None if other.lookup else other.as_matrix)
        elif kernel:
            found[hugging_face_name(adapter_name(*kernel))] = (tensor, MATRICES[kernel[1]].as_matrix)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a complete HDF5 file ({reason}); download it again") from None
    return found
