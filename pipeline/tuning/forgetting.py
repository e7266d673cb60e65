"""How well a model predicts general text, which training on other text makes worse."""

import math
from typing import TYPE_CHECKING

from pipeline.data.tokenize import EncodedExamples

if TYPE_CHECKING:
    import keras_hub

BATCH = 4


def in_words(value: float | None) -> str:
    """What `perplexity` found, for people to read."""
    return "not finite" if value is None else f"{value:,.1f}"


def perplexity(backbone: "keras_hub.models.Backbone", text: EncodedExamples) -> float | None:
    """exp of the mean cross-entropy of the tokens of a text; None if it is not finite.

    Args:
        backbone: in the form that is trained, with or without an adapter.
        text: whose learned tokens count.
    """
    import keras

    from pipeline.tuning.loss import Batches, measure, response_model

    model = response_model(backbone)
    model.compile(optimizer=None, jit_compile=keras.config.backend() != "torch")
    loss = measure(model, Batches(text, BATCH, None))["loss"]
    try:
        found = math.exp(loss)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
