"""How well a model predicts general text, which training on other text makes worse."""

import math
from typing import TYPE_CHECKING

from pipeline.data.tokenize import EncodedExamples

if TYPE_CHECKING:
    import keras_hub

BATCH = 4


def perplexity(backbone: "keras_hub.models.Backbone", text: EncodedExamples) -> float:
    """exp of the mean cross-entropy of the tokens of a text.

    Args:
        backbone: as it is in training, with or without an adapter.
        text: whose learned tokens count.
    """
    from pipeline.tuning.loss import Batches, measure, response_model

    model = response_model(backbone)
    model.compile(jit_compile=False)
    return math.exp(measure(model, Batches(text, BATCH, None))["loss"])
