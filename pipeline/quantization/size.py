"""How many bytes a model's weights take in a quantization scheme."""

from pipeline.families.family import GemmaShape
from pipeline.families.names import matrix_shapes
from pipeline.quantization.schemes import Scheme


def weight_bytes(shape: GemmaShape, scheme: Scheme) -> int:
    """Bytes of the weights, scales included.

    Integers come with float32 scales for rows or float16 scales for blocks, and with norms in float32.

    Args:
        shape: the model's shape.
        scheme: bits and blocks of its matrices.

    Raises:
        ValueError: a family whose parameters do not follow from its shape.
    """
    others, matrices = shape.other_parameters, matrix_shapes(shape)
    values = sum(rows * columns * scheme.bits_of(name) for name, (rows, columns) in matrices.items()) // 8
    if not scheme.integers:
        return values + others * scheme.bits // 8
    scales = sum(
        2 * rows * columns // block if (block := scheme.block_of(name)) else 4 * rows
        for name, (rows, columns) in matrices.items()
    )
    return values + scales + 4 * others
