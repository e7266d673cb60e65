"""The loss covers every response token once and nothing else, and exact match counts whole responses."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples, batches
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.loss import Batches, exact_match_metric, response_arrays, response_model


def test_gathering_keeps_every_response_token_in_its_order(examples: EncodedExamples) -> None:
    for batch in batches(examples, 5, seed=1):
        inputs, labels, weights = response_arrays(batch, batch.token_ids.shape[1])
        for row in range(5):
            kept = weights[row] > 0
            wanted = batch.sample_weight[row] > 0
            np.testing.assert_array_equal(labels[row][kept], batch.labels[row][wanted])
            np.testing.assert_array_equal(inputs["positions"][row][kept], np.flatnonzero(wanted))


def test_too_few_columns_are_refused_and_no_token_is_lost_silently(examples: EncodedExamples) -> None:
    with pytest.raises(ValueError, match="too few"):
        response_arrays(next(batches(examples, 12)), 2)


def test_an_epoch_holds_every_response_token_once(examples: EncodedExamples) -> None:
    source = Batches(examples, 5, seed=3)
    for number in range(3):
        assert sum(weights.sum() for _, _, weights in source.epoch(number)) == examples.response_tokens


def test_logits_at_response_positions_are_those_of_the_whole_sequence(
    base: Path, examples: EncodedExamples
) -> None:
    from keras import ops

    model = load_causal_lm(base)
    inputs, _, _ = Batches(examples, 4, None).epoch(0)[0]
    chosen = ops.convert_to_numpy(response_model(model.backbone)(inputs))
    whole = ops.convert_to_numpy(model({key: inputs[key] for key in ("token_ids", "padding_mask")}))
    for row, positions in enumerate(inputs["positions"]):
        np.testing.assert_allclose(chosen[row], whole[row, positions], atol=1e-4)


def test_exact_match_counts_whole_responses_and_no_filler_rows() -> None:
    labels = np.array([[1, 2, 0], [1, 2, 3], [1, 1, 1], [2, 2, 2]], np.int32)
    predicted = np.array([[1, 2, 9], [1, 2, 9], [1, 1, 1], [0, 0, 0]])
    weights = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]], np.float32)
    metric = exact_match_metric()
    metric.update_state(labels, np.eye(10, dtype=np.float32)[predicted], weights)
    assert float(metric.result()) == 0.5
