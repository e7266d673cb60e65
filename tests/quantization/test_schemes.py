"""A scheme gives every matrix its bits and blocks, and each recipe that a user can write has one."""

import pytest

from pipeline.families.names import EMBEDDING
from pipeline.quantization.schemes import SCHEMES

QUERY = "model.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("name", "matrix", "embedding"),
    [
        ("int8", (8, None), (8, None)),
        ("int4", (4, None), (4, None)),
        ("int4_embedding_int8", (4, None), (8, None)),
        ("int4_block32", (4, 32), (4, 32)),
        ("int4_block32_embedding_int8", (4, 32), (8, None)),
        ("fp16", (16, None), (16, None)),
        ("fp32", (32, None), (32, None)),
    ],
)
def test_bits_and_blocks_of_each_scheme(
    name: str, matrix: tuple[int, int | None], embedding: tuple[int, int | None]
) -> None:
    scheme = SCHEMES[name]
    assert (scheme.bits_of(QUERY), scheme.block_of(QUERY)) == matrix
    assert (scheme.bits_of(EMBEDDING), scheme.block_of(EMBEDDING)) == embedding
