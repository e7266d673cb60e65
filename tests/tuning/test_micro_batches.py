"""Promise: a micro-batch on a CPU has about the tokens at which products are fast, and little filler."""

import numpy as np
import pytest

from pipeline.tuning.micro_batches import TOKENS, micro_batch_size


def chosen(length: int, batch_size: int, examples: int = 100, share: float = 0.01, gpu: bool = False) -> int:
    lengths = np.full(examples, length)
    return micro_batch_size(lengths, batch_size, trained_share=share, accelerator=gpu)


@pytest.mark.parametrize(
    ("length", "batch_size", "wanted"),
    [
        (26, 16, 16),  # short answers: the whole batch
        (33, 32, 32),  # the demo: less than twice as many tokens as in a micro-batch
        (64, 32, 16),
        (256, 16, 4),
        (200, 16, 4),  # five would need four parts as well
        (170, 16, 4),  # six would fill three parts with two rows too many
        (2000, 16, 1),
        (100, 1, 1),
        (256, 7, 7),
        (300, 7, 2),  # four parts, of which the last has one example
        (1, 10**9, 100),
    ],
)
def test_it_follows_the_length_of_the_examples(length: int, batch_size: int, wanted: int) -> None:
    assert chosen(length, batch_size) == wanted


def test_no_micro_batch_is_far_from_the_best_size_nor_mostly_filler() -> None:
    for length in (30, 77, 150, 300, 600, 1500):
        for batch_size in range(1, 65):
            size = chosen(length, batch_size)
            parts = -(-batch_size // size)
            assert 1 <= size <= batch_size
            assert size in (1, batch_size) or size * length <= 1.5 * TOKENS
            assert size == 1 or size * length < 2 * TOKENS
            assert size == batch_size or 2 * size * length >= 0.5 * TOKENS
            assert parts * size <= 1.25 * batch_size


def test_the_whole_batch_is_computed_where_that_is_better() -> None:
    assert chosen(256, 16, gpu=True) == 16
    assert chosen(256, 16, share=1.0) == 16
    assert chosen(256, 16, examples=3, gpu=True) == 3
