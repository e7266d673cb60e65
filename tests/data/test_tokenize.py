from pathlib import Path

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.data.tokenize import (
    LENGTH_QUANTILES,
    LENGTH_STEP,
    EncodedExample,
    EncodedExamples,
    batches,
    encode,
    steps_per_epoch,
)
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.tokenizers import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return make_tokenizer(Path(tmp_path_factory.mktemp("tokenizer")))


def example(question: str, answer: str) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


def made(lengths: list[int], prompt: int = 3) -> EncodedExamples:
    """Examples of given lengths whose tokens are all different, so that none can stand in for another."""
    starts = np.cumsum([1, *lengths])
    return EncodedExamples(
        tuple(
            EncodedExample(np.arange(start, start + length, dtype=np.int32), np.arange(length) >= prompt)
            for start, length in zip(starts[:-1], lengths, strict=True)
        ),
        pad_id=0,
    )


def test_an_encoded_example_reads_back_as_the_conversation(tokenizer: Tokenizer) -> None:
    (encoded,) = encode([example("What is Au?", "gold")], tokenizer).examples
    ids, learned = encoded.token_ids, encoded.learned
    assert ids[0] == tokenizer.bos_id
    assert (
        tokenizer.decode(ids[~learned][1:].tolist())
        == "<start_of_turn>user\nWhat is Au?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert tokenizer.decode(ids[learned].tolist()) == "gold<end_of_turn>"
    assert ids[-1] == tokenizer.stop_ids[1]


def test_the_loss_looks_at_the_response_and_its_end_marker_only(tokenizer: Tokenizer) -> None:
    encoded = encode(
        [example("What is Au?", "gold"), example("Which planet is the largest?", "Jupiter")], tokenizer
    )
    seen = [
        tokenizer.decode(batch.labels[row][batch.sample_weight[row] == 1].tolist())
        for batch in batches(encoded, 2)
        for row in range(2)
    ]
    assert sorted(seen) == ["Jupiter<end_of_turn>", "gold<end_of_turn>"]


def test_no_token_is_lost_and_none_is_seen_twice() -> None:
    encoded = made([5, 17, 18, 40, 41, 90, 91, 16, 33, 5, 64], prompt=3)
    inputs, weighted = [], []
    for batch in batches(encoded, 4, seed=1):
        real = batch.sample_weight.any(axis=1)
        inputs += batch.token_ids[real][batch.padding_mask[real] == 1].tolist()
        weighted += batch.labels[batch.sample_weight == 1].tolist()
    assert sorted(inputs) == sorted(
        token for item in encoded.examples for token in item.token_ids[:-1].tolist()
    )
    assert sorted(weighted) == sorted(
        token for item in encoded.examples for token in item.token_ids[3:].tolist()
    )
    assert len(weighted) == encoded.response_tokens


def test_each_label_is_the_token_that_follows() -> None:
    for batch in batches(made([9, 20, 31], prompt=2), 2, seed=0):
        inside = batch.padding_mask[:, 1:] == 1
        assert np.array_equal(batch.labels[:, :-1][inside], batch.token_ids[:, 1:][inside])


def test_shapes_are_few_and_the_longest_example_fits() -> None:
    lengths = np.random.default_rng(0).integers(5, 700, size=400).tolist()
    encoded = made(lengths)
    shapes = {batch.token_ids.shape for batch in batches(encoded, 8, seed=0)}
    assert len(shapes) <= len(LENGTH_QUANTILES)
    assert all(rows == 8 and length % LENGTH_STEP == 0 for rows, length in shapes)
    assert max(lengths) - 1 <= encoded.bucket_lengths[-1] < max(lengths) - 1 + LENGTH_STEP


def test_an_example_whose_inputs_fill_a_bucket_exactly_gets_no_wider_one() -> None:
    assert made([17]).bucket_lengths == (16,)
    assert made([18]).bucket_lengths == (32,)


def test_examples_go_into_the_shortest_batch_that_holds_them() -> None:
    encoded = made([17, 17, 33, 33])
    assert [batch.token_ids.shape for batch in batches(encoded, 2)] == [(2, 16), (2, 32)]
    assert all(batch.padding_mask.all() for batch in batches(encoded, 2))


def test_the_same_seed_and_epoch_give_the_same_batches() -> None:
    encoded = made([10, 50, 20, 70, 30, 15, 25, 45])

    def order(seed: int, epoch: int) -> list[list[int]]:
        return [batch.token_ids[:, 0].tolist() for batch in batches(encoded, 2, seed=seed, epoch=epoch)]

    assert order(3, 0) == order(3, 0)
    assert order(3, 0) != order(3, 1)
    assert order(3, 0) != order(4, 0)


def test_every_batch_is_full_and_fillers_weigh_nothing() -> None:
    encoded = made([10, 50, 20, 70, 30])
    found = list(batches(encoded, 4, seed=0))
    assert len(found) == steps_per_epoch(encoded, 4) == 2
    assert sum(int(batch.sample_weight.any(axis=1).sum()) for batch in found) == 5
    # A row of padding alone would attend to nothing: fillers hold real tokens.
    assert all(batch.padding_mask.any(axis=1).all() for batch in found)


def test_without_examples_there_are_no_batches() -> None:
    assert list(batches(made([]), 4, seed=0)) == []


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        list(batches(made([5]), 0))
