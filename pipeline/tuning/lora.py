"""LoRA in Keras: y = W x + (alpha / rank) B A x (Hu et al. 2021, arXiv:2106.09685, section 4.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PocketGemmaError
from pipeline.families.names import MATRICES
from pipeline.gemma.causal_lm import matrix_layers

if TYPE_CHECKING:
    import keras
    import keras_hub


def enable_lora(
    backbone: "keras_hub.models.Backbone", rank: int, alpha: float, targets: Sequence[str]
) -> "dict[str, keras.layers.EinsumDense]":
    """Freeze the backbone and give the named matrices of every decoder block an adapter.

    KerasHub's own `enable_lora` does the work; it takes no alpha, so that is set on each layer afterwards.

    Returns:
        The adapted layers by name (`decoder_block_0.query`, …).

    Raises:
        PocketGemmaError: a target is in some blocks but not in all, or in none.
    """
    backbone.enable_lora(rank, target_layer_names=[MATRICES[target].keras_layer for target in targets])
    layers = {name: layer for target in targets for name, layer in matrix_layers(backbone, target)}
    expected = backbone.num_layers * len(targets)
    adapted = [layer for layer in layers.values() if layer.lora_enabled]
    if len(layers) != expected or len(adapted) != expected:
        raise PocketGemmaError(
            f"{type(backbone).__name__}: {len(adapted)} of {expected} matrices took an adapter ({', '.join(targets)})"
        )
    for layer in layers.values():
        layer.lora_alpha = alpha
    return layers


def weight_delta(a: NDArray[np.float32], b: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """scale * A B in the shape of the layer's kernel, as Keras's EinsumDense defines it, float32.

    The product runs over A's last axis only. A query kernel (heads, hidden, head_dim) has an A for each head,
    (heads, hidden, rank), and one B for all heads, (rank, head_dim).

    It is summed in float64 and rounded once: in float32 the last bit would depend on how many threads a BLAS has, and a merge on
    one machine would not be that on another.

    Args:
        a: (…, rank).
        b: (rank, last axis of the kernel).
        scale: alpha / rank.
    """
    return (np.matmul(a, b, dtype=np.float64) * scale).astype(np.float32)
