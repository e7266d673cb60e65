"""Promise: every example is in one batch of each epoch, in its order by seed, with little padding."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.data.batches import (
    LENGTH_STEP,
    MOST_LENGTHS,
    batches,
    few_lengths,
    padding_share,
    plan,
    steps_per_epoch,
)
from pipeline.data.tokenize import EncodedExample, EncodedExamples


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


@pytest.mark.parametrize("any_length", [False, True])
def test_no_token_is_lost_and_none_is_seen_twice(any_length: bool) -> None:
    encoded = made([5, 17, 18, 40, 41, 90, 91, 16, 33, 5, 64], prompt=3)
    inputs, weighted = [], []
    for batch in batches(encoded, 4, seed=1, any_length=any_length):
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
    assert len(shapes) <= MOST_LENGTHS
    assert all(rows == 8 and length % LENGTH_STEP == 0 for rows, length in shapes)
    longest = few_lengths(encoded.lengths - 1)[-1]
    assert max(lengths) - 1 <= longest < max(lengths) - 1 + LENGTH_STEP


def test_the_few_lengths_are_those_with_the_least_padding() -> None:
    """Against every choice there is."""
    lengths = np.random.default_rng(1).choice([7, 20, 40, 41, 60, 90, 120, 130, 170, 190, 200], 50)
    ends = sorted({math.ceil(length / LENGTH_STEP) * LENGTH_STEP for length in lengths})
    assert len(ends) == MOST_LENGTHS + 2

    def positions(chosen: Sequence[int]) -> int:
        return sum(min(end for end in chosen if end >= length) for length in lengths)

    best = min(
        positions((*chosen, ends[-1])) for chosen in itertools.combinations(ends[:-1], MOST_LENGTHS - 1)
    )
    assert positions(few_lengths(lengths)) == best
    assert positions(ends[1::2]) > best


def test_an_example_whose_inputs_fill_a_length_exactly_gets_no_longer_one() -> None:
    assert few_lengths(np.array([16])) == (16,)
    assert few_lengths(np.array([17])) == (32,)


def test_a_batch_of_any_length_is_as_long_as_its_longest_example() -> None:
    lengths = np.random.default_rng(0).integers(5, 700, size=400).tolist()
    encoded = made(lengths)
    found = list(batches(encoded, 8, seed=0, any_length=True))
    assert all(batch.padding_mask[:, -1].any() for batch in found)
    planned = plan(encoded, 8, seed=0, any_length=True)
    tokens, positions = (
        sum(int(count(batch.padding_mask)) for batch in found) for count in (np.sum, np.size)
    )
    assert padding_share(encoded, planned) == pytest.approx(1 - tokens / positions)
    # Batches of eight in random order would be about half padding.
    assert padding_share(encoded, planned) < 0.05
    assert padding_share(encoded, plan(encoded, 8, seed=0)) < 0.15


def test_rows_beyond_the_batch_are_filled_up() -> None:
    (batch,) = batches(made([10, 12, 14, 16, 18]), 5, rows=6)
    assert batch.token_ids.shape[0] == 6
    assert batch.sample_weight.any(axis=1).tolist() == [True] * 5 + [False]


def test_examples_go_into_the_shortest_batch_that_holds_them() -> None:
    encoded = made([17, 17, 33, 33])
    assert [batch.token_ids.shape for batch in batches(encoded, 2)] == [(2, 16), (2, 32)]
    assert all(batch.padding_mask.all() for batch in batches(encoded, 2))


@pytest.mark.parametrize("any_length", [False, True])
def test_the_same_seed_and_epoch_give_the_same_batches(any_length: bool) -> None:
    encoded = made([10, 50, 20, 70, 30, 15, 25, 45])

    def order(seed: int, epoch: int) -> list[list[int]]:
        found = batches(encoded, 2, seed=seed, epoch=epoch, any_length=any_length)
        return [batch.token_ids[:, 0].tolist() for batch in found]

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
    assert padding_share(made([]), plan(made([]), 4)) == 0


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        list(batches(made([5]), 0))
