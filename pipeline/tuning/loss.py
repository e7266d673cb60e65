"""The training objective: cross-entropy of the response tokens, computed only at the positions that predict
them.

Gemma's vocabulary is large compared with its width (262,144 tokens for Gemma 3), so the projection onto it is
most of the work. Prompt positions have no loss; only the hidden states of response positions, those of all
rows in one list, are projected.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.batches import Batch, batches, padding_share, plan, steps_per_epoch
from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import hidden_states
from pipeline.tuning.cross_entropy import token_losses
from pipeline.tuning.recomputed_gelu import recomputed_gelu

if TYPE_CHECKING:
    import keras
    import keras_hub

LEAST_STEP, STEPS_PER_OCTAVE = 8, 8
"""The number of positions is rounded up to a multiple of an eighth of the power of two below it, so that few
shapes are compiled."""


class Responses(NamedTuple):
    """A batch as `response_model` takes it.

    Attributes:
        inputs: token_ids and padding_mask, (batch, length); positions and labels, (positions,), all int32. A
            position counts through the rows of the batch.
        rows: the row of each position, (positions,), int32.
        weights: of the positions, (positions,), float32: their share of the loss; 0 where there is none, to
            fill up.
    """

    inputs: dict[str, NDArray[np.int32]]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def examples(self) -> int:
        """How many rows have a loss."""
        return len(np.unique(self.rows[self.weights > 0]))


def responses_of(batch: Batch, tokens: float | None = None) -> Responses:
    """The response positions of a batch, row by row.

    Args:
        batch: some rows.
        tokens: response tokens of which the loss is the mean; None: those of the batch.
    """
    found = np.flatnonzero(batch.sample_weight)
    positions = np.zeros(_rounded_up(len(found)), np.int32)
    positions[: len(found)] = found
    weights = np.zeros(len(positions), np.float32)
    weights[: len(found)] = 1 / (tokens or max(len(found), 1))
    inputs = {
        "token_ids": batch.token_ids,
        "padding_mask": batch.padding_mask,
        "positions": positions,
        "labels": batch.labels.reshape(-1)[positions],
    }
    return Responses(inputs, positions // batch.labels.shape[1], weights)


def _rounded_up(count: int) -> int:
    step = max(LEAST_STEP, (1 << max(count - 1, 1).bit_length()) // (2 * STEPS_PER_OCTAVE))
    return max(1, -(-count // step)) * step


def _less_kept(*, training: bool) -> AbstractContextManager[None]:
    """Where the backend allows it, keep less of the forward pass for the gradient."""
    import keras

    return recomputed_gelu() if training and keras.config.backend() == "torch" else nullcontext()


@cache
def _response_class() -> "type[keras.Model]":
    import keras
    from keras import ops

    class ResponseModel(keras.Model):
        """Loss and exact match of responses."""

        def __init__(self, backbone: "keras_hub.models.Backbone") -> None:
            super().__init__(name="response_model")
            self.backbone = backbone
            self.exact_match = keras.metrics.Mean(name="exact_match")
            self.built = True

        def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
            with _less_kept(training=bool(training)):
                hidden = hidden_states(self.backbone, inputs["token_ids"], inputs["padding_mask"])
            hidden = ops.reshape(hidden, (-1, hidden.shape[-1]))
            chosen = ops.take(hidden, inputs["positions"], axis=0)
            losses, right = token_losses(self.backbone, chosen, inputs["labels"], training=bool(training))
            return {"loss": losses, "right": right}

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            """The mean over all response tokens of a batch."""
            return ops.sum(ops.multiply(y_pred["loss"], sample_weight))

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
            """The share of responses in which every token is the most likely one: those that greedy decoding
            would give. Rows without a response do not count."""
            wrong = ops.multiply(ops.cast(ops.logical_not(y_pred["right"]), "float32"), sample_weight)
            rows = ops.shape(x["token_ids"])[0]
            responses = ops.segment_sum(sample_weight, y, rows)
            whole = ops.equal(ops.segment_sum(wrong, y, rows), 0)
            self.exact_match.update_state(ops.cast(whole, "float32"), ops.cast(responses > 0, "float32"))
            return self.get_metrics_result()  # type: ignore[no-any-return]

    return ResponseModel


def response_model(backbone: "keras_hub.models.Backbone") -> "keras.Model":
    """A model from `Responses` to the loss of each position, which Keras's `fit` trains; it shares the
    variables of the backbone.

    The inputs, rows and weights of `Responses` are its x, y and sample_weight. Output: loss (positions,)
    float32, right (positions,) bool: whether the label is the most likely token.
    """
    return _response_class()(backbone)


class Batches:
    """The batches of each epoch in the form that `response_model` takes; every epoch has its own order.

    PyTorch compiles no shapes, so that a batch there is as long as its longest example.

    Args:
        encoded: the examples.
        batch_size: examples of each batch.
        seed: of the order; None keeps the examples sorted by length.
        micro_batches: into how many parts of the same number of rows a batch is cut, the last ones filled up
            with rows of weight 0. They are computed one after the other.

    Attributes:
        steps: batches of an epoch.
        rows: of a part.
        padding: the share of the positions of the first epoch that no token fills.
    """

    def __init__(
        self, encoded: EncodedExamples, batch_size: int, seed: int | None, micro_batches: int = 1
    ) -> None:
        import keras

        self.encoded, self.batch_size, self.seed = encoded, batch_size, seed
        self.micro_batches, self.rows = micro_batches, math.ceil(batch_size / micro_batches)
        self.any_length = keras.config.backend() == "torch"
        self.steps = steps_per_epoch(encoded, batch_size)
        self.padding = padding_share(
            encoded, plan(encoded, batch_size, seed=seed, any_length=self.any_length)
        )

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[list[Responses], tuple[int, ...]]]:
        """The batches of an epoch from one on, each as its parts and the indices of its examples.

        The mean of the losses of the parts is the mean over the response tokens of the batch.
        """
        planned = batches(
            self.encoded,
            self.batch_size,
            seed=self.seed,
            epoch=number,
            any_length=self.any_length,
            rows=self.rows * self.micro_batches,
        )
        for batch in islice(planned, first, None):
            tokens = float(batch.sample_weight.sum()) / self.micro_batches
            yield [responses_of(part, tokens) for part in self._parts(batch)], batch.examples

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        for start in range(0, len(batch.token_ids), self.rows):
            part = slice(start, start + self.rows)
            yield Batch(
                batch.token_ids[part],
                batch.padding_mask[part],
                batch.labels[part],
                batch.sample_weight[part],
                batch.examples[part],
            )


def measure(model: "keras.Model", batches: Batches) -> dict[str, float]:
    """How a model does on the examples of the first epoch, independent of how they are batched.

    Args:
        model: of `response_model`, compiled.
        batches: without micro-batches.

    Returns:
        loss: the mean over the response tokens, in nats. exact_match: the share of the examples.
    """
    totals = {"loss": 0.0, "exact_match": 0.0}
    tokens = examples = 0
    for parts, _ in batches.epoch(0):
        for part in parts:
            found = model.test_on_batch(*part, return_dict=True)
            counts = {"loss": int(np.count_nonzero(part.weights)), "exact_match": part.examples}
            for name, count in counts.items():
                totals[name] += float(found[name]) * count
            tokens, examples = tokens + counts["loss"], examples + counts["exact_match"]
    return {"loss": totals["loss"] / tokens, "exact_match": totals["exact_match"] / examples}
