"""Promise: names and sizes of element types are those of the schema."""

import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.formats.tflite_types import BITS, TYPES, bytes_of


def test_names_and_numbers_are_the_schemas() -> None:
    numbers = {name: number for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    assert dict(zip(TYPES, range(len(TYPES)), strict=True)) == numbers


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((6, 64), "INT8", 384),
        ((3, 3), "INT4", 5),
        ((2, 2), "BFLOAT16", 8),
        ((), "FLOAT32", 4),
        ((0, 4), "INT64", 0),
        ((3,), "STRING", 0),
        ((3,), "type 99", 0),
    ],
)
def test_bytes_are_those_of_packed_values(shape: tuple[int, ...], dtype: str, expected: int) -> None:
    assert bytes_of(shape, dtype) == expected


def test_every_type_has_a_size_or_none_that_is_fixed() -> None:
    assert set(TYPES) - set(BITS) == {"STRING", "RESOURCE", "VARIANT"}
