"""Whether the matrices in a converted model are those of the model that was converted.

A model answers nearly as before when one of its matrices is wrong: the norms behind it take much of the difference away. The matrices
themselves hide nothing: a quantised weight may be off by half a step, and not by more.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.litert.tflite import each

STEPS = {"INT8": 127, "INT4": 7}
"""Largest quantised value: a row's scale is max|w| / this (symmetric, per output row, as the AI Edge Quantizer does it)."""

ROWS = 8192
"""Rows compared at a time: an embedding of 262,144 rows is never held in float32 as a whole."""


@dataclass
class StoredMatrix:
    """A constant matrix of a .tflite.

    Attributes:
        shape: (out, in).
        dtype: INT8, INT4, FLOAT16 or FLOAT32.
        raw: its bytes.
        scales: float32 scales of the rows, once for each signature that computes with it; empty for floats.
    """

    shape: tuple[int, int]
    dtype: str
    raw: NDArray[np.uint8]
    scales: list[NDArray[np.float32]] = field(default_factory=list)

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows start..stop without their scales, (stop - start, in), float32."""
        width = self.shape[1]
        if self.dtype == "INT4":
            packed = self.raw[start * width // 2 : stop * width // 2]
            values = np.empty(packed.size * 2, np.int8)
            # Two values a byte, the first in the low four bits, each in two's complement.
            values[0::2], values[1::2] = (packed << 4).view(np.int8) >> 4, packed.view(np.int8) >> 4
        else:
            kind = {"INT8": np.int8, "FLOAT16": np.float16, "FLOAT32": np.float32}[self.dtype]
            size = np.dtype(kind).itemsize
            values = self.raw[start * width * size : stop * width * size].view(kind)
        return values.reshape(stop - start, width).astype(np.float32)


def missing_matrices(model: bytes, folder: Path) -> list[str]:
    """Names of the matrices of a Hugging Face folder that the converted model does not hold.

    Args:
        model: the bytes of a .tflite.
        folder: with model.safetensors (or several *.safetensors).

    Returns:
        Names of those for which no stored matrix lies within half a quantisation step (or a float's rounding) everywhere.
    """
    stored: dict[tuple[int, int], list[StoredMatrix]] = defaultdict(list)
    for matrix in stored_matrices(model):
        stored[matrix.shape].append(matrix)
    return [
        name
        for name, wanted in _wanted(folder)
        if not any(_holds(matrix, wanted) for matrix in stored[wanted.shape])
    ]


def stored_matrices(model: bytes) -> list[StoredMatrix]:
    """The constant matrices of a .tflite that are stored as weights."""
    from ai_edge_litert import schema_py_generated as schema

    types = {getattr(schema.TensorType, name): name for name in ("INT8", "INT4", "FLOAT16", "FLOAT32")}
    document = schema.Model.GetRootAs(model)
    everything = np.frombuffer(model, np.uint8)
    found: dict[int, StoredMatrix] = {}
    for graph in each(document.SubgraphsLength(), document.Subgraphs):
        for tensor in each(graph.TensorsLength(), graph.Tensors):
            buffer = document.Buffers(tensor.Buffer())
            if (
                tensor.ShapeLength() != 2
                or tensor.Type() not in types
                or not (buffer.DataLength() or buffer.Size())
            ):
                continue
            if tensor.Buffer() not in found:
                # A buffer of a large model lies behind the flatbuffer; its offset counts from the start of the file.
                raw = (
                    buffer.DataAsNumpy()
                    if buffer.DataLength()
                    else everything[buffer.Offset() : buffer.Offset() + buffer.Size()]
                )
                shape = tuple(int(length) for length in tensor.ShapeAsNumpy())
                found[tensor.Buffer()] = StoredMatrix((shape[0], shape[1]), types[tensor.Type()], raw)
            scales = _scales(tensor)
            if scales is not None:
                found[tensor.Buffer()].scales.append(scales)
    return list(found.values())


def _scales(tensor: Any) -> NDArray[np.float32] | None:
    settings = tensor.Quantization()
    if settings is None or not settings.ScaleLength():
        return None
    return np.broadcast_to(settings.ScaleAsNumpy(), (int(tensor.Shape(0)),))


def _wanted(folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as file:
            for name in file.keys():
                if len(file.get_slice(name).get_shape()) == 2:
                    yield name, file.get_tensor(name).astype(np.float32)


def _holds(stored: StoredMatrix, wanted: NDArray[np.float32]) -> bool:
    if stored.dtype in STEPS and not stored.scales:
        return False
    # The first row tells nearly all other matrices of this shape apart.
    bounds = [0, 1, *range(ROWS, len(wanted), ROWS), len(wanted)]
    return all(_rows_hold(stored, wanted[start:stop], start) for start, stop in pairwise(bounds))


def _rows_hold(stored: StoredMatrix, wanted: NDArray[np.float32], start: int) -> bool:
    values = stored.rows(start, start + len(wanted))
    if stored.dtype == "FLOAT32":
        return np.array_equal(values, wanted)
    if stored.dtype == "FLOAT16":
        return np.array_equal(values, wanted.astype(np.float16).astype(np.float32))
    step = np.abs(wanted).max(axis=1, keepdims=True) / STEPS[stored.dtype]
    # Half a step, and a little for the float32 arithmetic of the scales.
    return all(
        bool(
            (
                np.abs(values * scales[start : start + len(wanted), None] - wanted) <= 0.501 * step + 1e-12
            ).all()
        )
        for scales in stored.scales
    )
