"""How many bytes a model's weights take in a quantization scheme."""

from pipeline.families.family import GemmaShape
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
    norms, embedding = shape.norm_parameters, shape.vocabulary * shape.hidden
    layers = shape.parameters - norms - embedding
    matrices = (embedding * scheme.embedding_bits + layers * scheme.bits) // 8
    if scheme.bits >= 16:
        return matrices + norms * scheme.bits // 8
    if scheme.block:
        return matrices + 2 * (embedding + layers) // scheme.block + 4 * norms
    rows = shape.vocabulary + shape.layers * sum(outputs for outputs, _ in shape.matrix_shapes)
    return matrices + 4 * (rows + norms)
