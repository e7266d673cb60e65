"""Layers that are computed twice in training, to keep less in memory."""

from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.families.names import keras_block

if TYPE_CHECKING:
    import keras_hub


def rematerialize(backbone: "keras_hub.models.Backbone") -> None:
    """Keep only the inputs of the decoder layers for the gradient, and compute the rest of each layer again
    when its gradient is due (Chen et al. 2016, arXiv:1604.06174).

    Args:
        backbone: without dropout, which would drop other values the second time.

    Raises:
        InputError: Keras runs on TensorFlow, whose `recompute_grad` gives no gradient to tensors that a layer
            gets beside its input, such as the keys and values that layers of Gemma 4 share.
    """
    import keras

    if keras.config.backend() == "tensorflow":
        raise InputError(
            "finetune.rematerialize: not possible with Keras on TensorFlow; set finetune.backend: torch or "
            "jax, or remove the key"
        )
    for index in range(backbone.num_layers):
        block = backbone.get_layer(keras_block(index))
        block.__class__ = _computed_twice(type(block))  # type: ignore[arg-type]


@cache
def _computed_twice(base: Any) -> Any:
    import keras

    class ComputedTwice(base):  # type: ignore[misc]
        # Not `call`: the precision of a layer's products is in force only inside `__call__`.
        def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
            inner = super().__call__
            return keras.remat(lambda x: inner(x, *args, **kwargs))(x)

    return ComputedTwice
