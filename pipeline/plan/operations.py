"""What a training step has to compute."""

from pipeline.families.family import GemmaShape
from pipeline.families.names import matrix_shapes


def lora_operations(shape: GemmaShape, rank: int, tokens: int, responses: int) -> float:
    """Floating-point operations of LoRA on all matrices of the layers that no implementation can leave out:
    two for each weight and token forward, two for the gradient of the inputs; six for each weight of A and B;
    and the same as a frozen matrix for the projection of the response tokens. Attention scores, norms and
    activations are left out.

    Args:
        shape: of the model.
        rank: of A and B.
        tokens: of the examples, without padding.
        responses: tokens with loss.
    """
    layers = {name: size for name, size in matrix_shapes(shape).items() if ".layers." in name}
    frozen = sum(rows * columns for rows, columns in layers.values())
    trained = sum(rank * (rows + columns) for rows, columns in layers.values())
    projection = shape.vocabulary * shape.hidden
    return float(tokens * (4 * frozen + 6 * trained) + responses * 4 * projection)


def layer_operations(shape: GemmaShape, tokens: int) -> float:
    """Those of one forward pass through all layers."""
    matrices = matrix_shapes(shape).items()
    return float(2 * tokens * sum(rows * columns for name, (rows, columns) in matrices if ".layers." in name))


def full_operations(shape: GemmaShape, tokens: int, responses: int) -> float:
    """The same for training every weight: two more for each weight and token, for its gradient."""
    matrices = matrix_shapes(shape)
    layers = sum(rows * columns for name, (rows, columns) in matrices.items() if ".layers." in name)
    return float(6 * (tokens * layers + responses * shape.vocabulary * shape.hidden))
