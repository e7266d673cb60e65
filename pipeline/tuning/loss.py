"""The training objective: cross-entropy of the response tokens, computed only at the positions that predict
them.

Gemma's vocabulary is large compared with its width (262,144 tokens for Gemma 3), so the projection onto it is
most of the work. Prompt positions have no loss; only the hidden states of response positions are gathered and
projected.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.tokenize import Batch, EncodedExamples, batches, steps_per_epoch
from pipeline.gemma.causal_lm import hidden_states, logits_of

if TYPE_CHECKING:
    import keras
    import keras_hub

RESPONSE_STEP = 8
"""Response lengths are rounded up to a multiple of this, so that few shapes are compiled."""

Arrays = dict[str, NDArray[Any]]


def response_model(backbone: "keras_hub.models.Backbone") -> "keras.Model":
    """A model from token ids to the logits at given positions; it shares the variables of the backbone.

    Inputs: token_ids (batch, length) int32, padding_mask (batch, length) int32, positions (batch, responses)
    int32. Output: logits (batch, responses, vocabulary).
    """
    import keras
    from keras import ops

    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("token_ids", "padding_mask", "positions")
    }
    hidden = hidden_states(backbone, inputs["token_ids"], inputs["padding_mask"])
    chosen = ops.take_along_axis(hidden, ops.expand_dims(inputs["positions"], -1), axis=1)
    return keras.Model(inputs, logits_of(backbone, chosen), name="response_model")


def response_arrays(batch: Batch, responses: int) -> tuple[Arrays, NDArray[np.int32], NDArray[np.float32]]:
    """Gather the labels and weights of a batch at its response positions.

    Args:
        batch: arrays (batch, length).
        responses: number of columns; rows with fewer response tokens are padded with weight 0.

    Returns:
        Inputs of `response_model`, labels (batch, responses), weights (batch, responses).

    Raises:
        ValueError: a response has more tokens than there are columns.
    """
    # A stable sort by "has no loss" moves the response positions to the front and keeps their order.
    positions = np.argsort(batch.sample_weight == 0, axis=1, kind="stable")[:, :responses].astype(np.int32)
    labels = np.take_along_axis(batch.labels, positions, axis=1)
    weights = np.take_along_axis(batch.sample_weight, positions, axis=1)
    if weights.sum() != batch.sample_weight.sum():
        raise ValueError(f"{responses} columns are too few for the responses of this batch")
    return (
        {"token_ids": batch.token_ids, "padding_mask": batch.padding_mask, "positions": positions},
        labels,
        weights,
    )


def exact_match_metric() -> "keras.metrics.Metric":
    """Share of responses in which every token is the most likely one: those that greedy decoding would give.

    Labels (batch, responses), logits (batch, responses, vocabulary), weights (batch, responses); rows with
    weights of 0 only do not count.
    """
    import keras
    from keras import ops

    class ExactMatch(keras.metrics.Mean):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            carries_loss = ops.greater(sample_weight, 0)
            right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
            whole = ops.all(ops.logical_or(right, ops.logical_not(carries_loss)), axis=-1)
            super().update_state(
                ops.cast(whole, "float32"), ops.cast(ops.any(carries_loss, axis=-1), "float32")
            )

    return ExactMatch(name="exact_match")


class Batches:
    """The batches of each epoch in the form that `response_model` takes; every epoch has its own order.

    Args:
        encoded: the examples.
        batch_size: rows of each batch.
        seed: of the order; None keeps the examples sorted by length.
    """

    def __init__(self, encoded: EncodedExamples, batch_size: int, seed: int | None) -> None:
        self.encoded, self.batch_size, self.seed = encoded, batch_size, seed
        self.steps = steps_per_epoch(encoded, batch_size)
        self._responses = {length: self._longest_response(length) for length in encoded.bucket_lengths}

    def _longest_response(self, length: int) -> int:
        longest = max(
            len(example) - example.response_start
            for example in self.encoded.examples
            if len(example) - 1 <= length
        )
        return min(length, -(-longest // RESPONSE_STEP) * RESPONSE_STEP)

    def epoch(self, number: int) -> list[tuple[Arrays, NDArray[np.int32], NDArray[np.float32]]]:
        """All batches of an epoch."""
        return [
            response_arrays(batch, self._responses[batch.token_ids.shape[1]])
            for batch in batches(self.encoded, self.batch_size, seed=self.seed, epoch=number)
        ]

    def as_dataset(self) -> "keras.utils.PyDataset":
        """The same as a Keras dataset, which changes its order after each epoch."""
        import keras

        source = self

        class Dataset(keras.utils.PyDataset):
            def __init__(self) -> None:
                super().__init__()
                self._number = 0
                self._batches = source.epoch(0)

            def __len__(self) -> int:
                return source.steps

            def __getitem__(self, index: int) -> Any:
                return self._batches[index]

            def on_epoch_end(self) -> None:
                if source.seed is not None:
                    self._number += 1
                    self._batches = source.epoch(self._number)

        return Dataset()
