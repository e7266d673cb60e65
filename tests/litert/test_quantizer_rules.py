"""Promise: a recipe's rules give each matrix the recipe's bits, and both uses of the embedding the same
ones."""

import re

import pytest

from pipeline.litert.quantizer_rules import quantizer_rules
from pipeline.quantization.schemes import SCHEMES

PROJECTION = ("decode_logits_output", "FULLY_CONNECTED")
LOOKUP = ("embed_tokens", "EMBEDDING_LOOKUP")
LAYER = ("model.layers.0.mlp.up_proj", "FULLY_CONNECTED")


def applied(recipe: str, scope: str, operation: str) -> dict[str, object]:
    """The weight settings of the last rule that matches an operation."""
    matching = [
        rule
        for rule in quantizer_rules(recipe)
        if re.search(rule["regex"], scope) and rule["operation"] in ("*", operation)
    ]
    settings: dict[str, object] = matching[-1]["op_config"]["weight_tensor_config"]
    return settings


@pytest.mark.parametrize("recipe", [name for name, scheme in SCHEMES.items() if scheme.bits < 32])
def test_every_operation_gets_the_bits_of_its_matrix(recipe: str) -> None:
    scheme = SCHEMES[recipe]
    assert applied(recipe, *LAYER)["num_bits"] == scheme.bits
    assert applied(recipe, *LOOKUP)["num_bits"] == scheme.embedding_bits
    assert applied(recipe, *LOOKUP) == applied(recipe, *PROJECTION)


def test_blocks_have_the_recipes_size() -> None:
    assert applied("int4_block32", *LAYER)["granularity"] == "BLOCKWISE_32"
    assert applied("int4_block32_embedding_int8", *LAYER)["granularity"] == "BLOCKWISE_32"
    assert applied("int4_block32_embedding_int8", *LOOKUP)["granularity"] == "CHANNELWISE"
    assert applied("int4", *LAYER)["granularity"] == "CHANNELWISE"


def test_fp32_has_no_rules() -> None:
    assert quantizer_rules("fp32") == []
