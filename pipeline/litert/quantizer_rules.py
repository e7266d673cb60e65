"""A quantization recipe as rules of the AI Edge Quantizer; the last rule that matches an operation
applies."""

from typing import Any

from pipeline.quantization.schemes import SCHEMES

FLOAT16_OPERATIONS = ("FULLY_CONNECTED", "EMBEDDING_LOOKUP")
"""The operations that fp16 casts: those that the quantizer's algorithm float_casting supports."""

EMBEDDING_RULES = ((".*", "EMBEDDING_LOOKUP"), ("logits|lm_head", "FULLY_CONNECTED"))
"""Scope and operation of both uses of the tied embedding. The exporter names the projection onto the
vocabulary after its output, decode_logits_output. Both uses need the same rule, otherwise the embedding would
be stored twice."""


def quantizer_rules(recipe: str) -> list[dict[str, Any]]:
    """The rules with which the AI Edge Quantizer (0.10) stores matrices as a recipe says; none for fp32.

    Args:
        recipe: a name in SCHEMES.
    """
    scheme = SCHEMES[recipe]
    if scheme.bits == 32:
        return []
    if scheme.bits == 16:
        return [_float16(operation) for operation in FLOAT16_OPERATIONS]
    rules = [_integers(".*", "*", scheme.bits, scheme.block)]
    if scheme.embedding_bits != scheme.bits:
        rules += [_integers(scope, operation, scheme.embedding_bits) for scope, operation in EMBEDDING_RULES]
    return rules


def _integers(scope: str, operation: str, bits: int, block: int | None = None) -> dict[str, Any]:
    """Symmetric integers; the runtime computes with integers too and rounds activations to 8 bits
    dynamically."""
    weight = {
        "num_bits": bits,
        "symmetric": True,
        "granularity": f"BLOCKWISE_{block}" if block else "CHANNELWISE",
        "dtype": "INT",
    }
    settings = {"weight_tensor_config": weight, "compute_precision": "INTEGER", "explicit_dequantize": False}
    return {
        "regex": scope,
        "operation": operation,
        "algorithm_key": "min_max_uniform_quantize",
        "op_config": settings,
    }


def _float16(operation: str) -> dict[str, Any]:
    weight = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"}
    settings = {"weight_tensor_config": weight, "compute_precision": "FLOAT", "explicit_dequantize": True}
    return {"regex": ".*", "operation": operation, "algorithm_key": "float_casting", "op_config": settings}
