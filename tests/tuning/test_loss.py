"""The loss covers every response token once and nothing else, and exact match counts whole responses."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.batches import Batch, batches
from pipeline.data.examples import Example
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.families.chat import Message
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.tuning.loss import Batches, measure, response_model, responses_of


def test_every_response_token_has_its_place_in_order(examples: EncodedExamples) -> None:
    for batch in batches(examples, 5, seed=1):
        inputs, rows, weights = responses_of(batch)
        kept = weights > 0
        wanted = batch.sample_weight > 0
        np.testing.assert_array_equal(inputs["labels"][kept], batch.labels[wanted])
        np.testing.assert_array_equal(inputs["positions"][kept], np.flatnonzero(wanted))
        np.testing.assert_array_equal(rows[kept], np.nonzero(wanted)[0])


@pytest.mark.parametrize("micro_batches", [1, 2, 4, 6])
def test_an_epoch_holds_every_response_token_once(examples: EncodedExamples, micro_batches: int) -> None:
    source = Batches(examples, 6, seed=3, micro_batches=micro_batches)
    for number in range(3):
        tokens = sum(np.count_nonzero(part.weights) for parts, _ in source.epoch(number) for part in parts)
        assert tokens == examples.response_tokens


@pytest.mark.parametrize(("tokens", "positions"), [(1, 8), (8, 8), (9, 16), (100, 104), (1025, 1152)])
def test_few_positions_are_filled_up(tokens: int, positions: int) -> None:
    length = 2048
    weights = np.zeros((1, length), np.float32)
    weights[0, :tokens] = 1
    empty = np.zeros((1, length), np.int32)
    inputs, _, found = responses_of(Batch(empty, empty, empty, weights, (0,)))
    assert len(inputs["positions"]) == positions
    assert np.count_nonzero(found) == tokens
    assert found.sum() == pytest.approx(1)


def test_losses_are_those_of_the_logits_of_the_whole_sequence(base: Path, examples: EncodedExamples) -> None:
    from keras import ops

    model = load_causal_lm(base)
    (responses,), _ = next(Batches(examples, 4, None).epoch(0))
    inputs, _, weights = responses
    found = response_model(model.backbone)(inputs)
    logits = ops.convert_to_numpy(model({key: inputs[key] for key in ("token_ids", "padding_mask")}))
    chosen = logits.reshape(-1, logits.shape[-1])[inputs["positions"]].astype(np.float64)
    logprobs = chosen - np.log(np.exp(chosen).sum(-1, keepdims=True))
    wanted = -np.take_along_axis(logprobs, inputs["labels"][:, None], -1)[:, 0]
    kept = weights > 0
    np.testing.assert_allclose(ops.convert_to_numpy(found["loss"])[kept], wanted[kept], atol=1e-4)
    right = chosen.argmax(-1) == inputs["labels"]
    np.testing.assert_array_equal(ops.convert_to_numpy(found["right"])[kept], right[kept])


@pytest.mark.slow
def test_a_result_is_the_mean_over_all_tokens_whatever_the_batches(
    base: Path, examples: EncodedExamples
) -> None:
    model = response_model(load_causal_lm(base).backbone)
    model.compile()
    single = [EncodedExamples((each,), examples.pad_id) for each in examples.examples]
    alone = [measure(model, Batches(each, 1, None)) for each in single]
    tokens = [each.response_tokens for each in single]
    wanted = {
        "loss": np.average([each["loss"] for each in alone], weights=tokens),
        "exact_match": np.mean([each["exact_match"] for each in alone]),
    }
    assert len(set(tokens)) > 1
    for batch_size in (1, 3, 5, len(examples)):
        found = measure(model, Batches(examples, batch_size, None))
        assert found == pytest.approx(wanted, rel=1e-5)


def test_the_loss_of_a_conversation_is_the_sum_of_the_losses_of_its_turns(base: Path) -> None:
    tokenizer, model = Tokenizer.of_preset(base), response_model(load_causal_lm(base).backbone)
    model.compile()
    turns = ("Which element has the symbol Au?", "That is gold.", "And Ag?", "Silver.", "Hg?", "Mercury!")
    messages: tuple[Message, ...] = tuple(
        {"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(turns)
    )

    def total(example: Example) -> tuple[float, int]:
        encoded = encode([example], tokenizer)
        ((responses,), _) = next(Batches(encoded, 1, None).epoch(0))
        loss = model.test_on_batch(*responses, return_dict=True)["loss"]
        return float(loss) * encoded.response_tokens, encoded.response_tokens

    whole, tokens = total(Example(messages, learned_earlier=(1, 3)))
    parts = [total(Example(messages[: turn + 1])) for turn in (1, 3, 5)]
    assert tokens == sum(count for _, count in parts)
    assert whole == pytest.approx(sum(loss for loss, _ in parts), rel=1e-5)
    assert min(loss for loss, _ in parts) > 0.01


def test_loss_and_exact_match_count_tokens_and_whole_responses(base: Path, examples: EncodedExamples) -> None:
    from keras import ops

    model = response_model(load_causal_lm(base).backbone)
    loss = np.array([1.0, 2.0, 3.0, 4.0, 9.0, 9.0], np.float32)
    right = np.array([True, True, True, False, False, True])
    rows = np.array([0, 0, 1, 1, 2, 0], np.int32)
    weights = np.array([1, 1, 1, 1, 0, 0], np.float32) / 4
    inputs = {"token_ids": np.zeros((4, 3), np.int32)}
    predicted = {"loss": ops.convert_to_tensor(loss), "right": ops.convert_to_tensor(right)}
    model.compile()
    assert float(model.compute_loss(inputs, rows, predicted, ops.convert_to_tensor(weights))) == 2.5
    values = ops.convert_to_tensor(rows), predicted, ops.convert_to_tensor(weights)
    assert float(model.compute_metrics(inputs, *values)["exact_match"]) == 0.5
