"""A scheme gives every matrix its bits and blocks, and each recipe that a user can write has one."""

import pytest

from pipeline.families.names import EMBEDDING
from pipeline.quantization.schemes import SCHEMES

QUERY = "model.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("name", "matrix", "embedding", "block"),
    [
        ("int8", 8, 8, None),
        ("int4", 4, 4, None),
        ("int4_embedding_int8", 4, 8, None),
        ("int4_block32", 4, 4, 32),
        ("fp16", 16, 16, None),
        ("fp32", 32, 32, None),
    ],
)
def test_bits_and_blocks_of_each_scheme(name: str, matrix: int, embedding: int, block: int | None) -> None:
    scheme = SCHEMES[name]
    assert (scheme.bits_of(QUERY), scheme.bits_of(EMBEDDING)) == (matrix, embedding)
    assert scheme.block_of(QUERY) == scheme.block_of(EMBEDDING) == block
