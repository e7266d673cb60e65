"""Element types of LiteRT tensors by the names of TensorFlow Lite's schema (schema.fbs, TensorType)."""

from math import prod

TYPES = (
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "UINT8",
    "INT64",
    "STRING",
    "BOOL",
    "INT16",
    "COMPLEX64",
    "INT8",
    "FLOAT64",
    "COMPLEX128",
    "UINT64",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT16",
    "INT4",
    "BFLOAT16",
    "INT2",
    "UINT4",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
)
"""Element types by their number (TensorType)."""

BITS = {
    "INT2": 2,
    "INT4": 4,
    "UINT4": 4,
    "BOOL": 8,
    "INT8": 8,
    "UINT8": 8,
    "FLOAT8_E4M3FN": 8,
    "FLOAT8_E5M2": 8,
    "INT16": 16,
    "UINT16": 16,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT32": 32,
    "UINT32": 32,
    "FLOAT32": 32,
    "INT64": 64,
    "UINT64": 64,
    "FLOAT64": 64,
    "COMPLEX64": 64,
    "COMPLEX128": 128,
}
"""Bits of an element, for the types of a fixed size."""


def bytes_of(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of the values of a tensor; 0 for a type without a fixed size."""
    return -(-prod(shape) * BITS.get(dtype, 0) // 8)
