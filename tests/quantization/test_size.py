"""The size of a quantized model is known before it is converted."""

import pytest

from pipeline.families.family import GemmaShape
from pipeline.families.gemma3 import GEMMA3
from pipeline.quantization.schemes import SCHEMES
from pipeline.quantization.size import weight_bytes
from tests.support.presets import SHAPE


@pytest.mark.parametrize("recipe", SCHEMES)
def test_every_scheme_has_a_size(recipe: str) -> None:
    smaller, larger = weight_bytes(SHAPE, SCHEMES["int4_block32"]), weight_bytes(SHAPE, SCHEMES["fp32"])
    assert smaller <= weight_bytes(SHAPE, SCHEMES[recipe]) <= larger


@pytest.mark.parametrize(("recipe", "measured"), [("int8", 280e6), ("int4", 146e6)])
def test_weight_bytes_come_near_the_measured_files_of_gemma3_270m(recipe: str, measured: float) -> None:
    # A model file also holds the tokenizer (4.7 MB) and the graph.
    shape = GemmaShape(GEMMA3, 18, 640, 4, 1, 256, 2048, 262144)
    assert measured - 12e6 < weight_bytes(shape, SCHEMES[recipe]) < measured


def test_float_weights_take_four_and_two_bytes() -> None:
    assert weight_bytes(SHAPE, SCHEMES["fp32"]) == 4 * SHAPE.parameters
    assert weight_bytes(SHAPE, SCHEMES["fp16"]) == 2 * SHAPE.parameters
