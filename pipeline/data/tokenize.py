"""From examples to training arrays: token IDs, batches of similar length, loss on the responses only."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.data.examples import Example
from pipeline.gemma.tokenizer import Tokenizer

LENGTH_STEP = 16
"""Batch lengths are multiples of this: accelerators compute in tiles."""

LENGTH_QUANTILES = (0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
"""Quantiles of the lengths at which buckets end. Each bucket is one shape that XLA compiles, so there are
few."""


@dataclass(frozen=True)
class EncodedExample:
    """Token ids of one conversation.

    Attributes:
        token_ids: int32 (length,): start token, then by turns prompt, response and end-of-turn marker.
        learned: bool (length,): the tokens with loss, which are those of responses that are learned, each
            with its end-of-turn marker.
    """

    token_ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.token_ids)


class Batch(NamedTuple):
    """What one training step takes; every array is (batch, length).

    `labels[i, t]` is the token that follows `token_ids[i, :t + 1]`. `examples` are the indices of the
    examples in its rows; rows beyond them are filler.
    """

    token_ids: npt.NDArray[np.int32]
    padding_mask: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    sample_weight: npt.NDArray[np.float32]
    examples: tuple[int, ...]


@dataclass(frozen=True)
class EncodedExamples:
    """Tokenized examples and the padding ID."""

    examples: tuple[EncodedExample, ...]
    pad_id: int

    def __len__(self) -> int:
        return len(self.examples)

    def first(self, count: int) -> "EncodedExamples":
        """The first examples, at most `count` of them."""
        return EncodedExamples(self.examples[:count], self.pad_id)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, (examples,)."""
        return np.array([len(example) for example in self.examples], dtype=np.int64)

    @property
    def response_tokens(self) -> int:
        """Number of tokens with loss in one epoch: the responses, each with its end-of-turn marker."""
        return sum(int(example.learned.sum()) for example in self.examples)

    @cached_property
    def bucket_lengths(self) -> tuple[int, ...]:
        """Ascending batch lengths: at most `len(LENGTH_QUANTILES)` multiples of LENGTH_STEP; the last one
        holds the longest example."""
        if not self.examples:
            return ()
        # One less than the example: its last token is only a label.
        cuts = np.quantile(self.lengths - 1, LENGTH_QUANTILES, method="higher")
        return tuple(sorted({math.ceil(cut / LENGTH_STEP) * LENGTH_STEP for cut in cuts}))


def encode(examples: Sequence[Example], tokenizer: Tokenizer) -> EncodedExamples:
    """Tokenize examples.

    Prompt and response are tokenized separately, as in a runtime, where the prompt's tokens are fixed before
    the reply begins. A conversation with several learned responses is one sequence (`Example.segments`).
    """
    encoded = []
    for example in examples:
        ids, learned = [tokenizer.bos_id], [False]
        for segment in example.segments(tokenizer.chat):
            tokens = tokenizer.encode(segment.text)
            ids += tokens
            learned += [segment.learned] * len(tokens)
        encoded.append(EncodedExample(np.array(ids, dtype=np.int32), np.array(learned)))
    return EncodedExamples(tuple(encoded), tokenizer.pad_id)


def segment_lengths(examples: Iterable[Example], tokenizer: Tokenizer) -> list[list[int]]:
    """Numbers of tokens of each example's segments; the start token counts to the first."""
    texts = [[segment.text for segment in example.segments(tokenizer.chat)] for example in examples]
    lengths = iter(tokenizer.lengths(text for each in texts for text in each))
    return [[next(lengths) + (place == 0) for place in range(len(each))] for each in texts]


def steps_per_epoch(encoded: EncodedExamples, batch_size: int) -> int:
    """How many batches `batches` yields."""
    return math.ceil(len(encoded) / batch_size)


def batches(
    encoded: EncodedExamples, batch_size: int, *, seed: int | None = None, epoch: int = 0
) -> Iterator[Batch]:
    """All examples once, in batches of similar length.

    Every batch has `batch_size` rows and one of `encoded.bucket_lengths`, so that few shapes are compiled.
    Examples that do not fill a batch of their bucket move to the next longer one; the last batch is padded
    with rows of weight 0.

    Args:
        encoded: the examples.
        batch_size: rows of each batch.
        seed: decides the order of examples and batches, together with the epoch; None sorts by length.
        epoch: a different order each epoch.

    Yields:
        Batch, every array (batch_size, length). The loss weight is 1 where the label is a response token
        (end-of-turn marker included).
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not encoded.examples:
        return
    random = None if seed is None else np.random.default_rng((seed, epoch))
    bucket_of = np.searchsorted(encoded.bucket_lengths, encoded.lengths - 1)
    plan: list[tuple[list[int], int]] = []
    waiting: list[int] = []
    for bucket, length in enumerate(encoded.bucket_lengths):
        members = np.flatnonzero(bucket_of == bucket)
        if random is not None:
            random.shuffle(members)
        waiting += members.tolist()
        while len(waiting) >= batch_size:
            plan.append((waiting[:batch_size], length))
            waiting = waiting[batch_size:]
    if waiting:
        plan.append((waiting, encoded.bucket_lengths[-1]))
    if random is not None:
        plan = [plan[place] for place in random.permutation(len(plan))]
    for rows, length in plan:
        yield _batch(encoded, rows, batch_size, length)


def _batch(encoded: EncodedExamples, chosen: Sequence[int], batch_size: int, length: int) -> Batch:
    examples, pad_id = [encoded.examples[index] for index in chosen], encoded.pad_id
    token_ids = np.full((batch_size, length), pad_id, dtype=np.int32)
    padding_mask = np.zeros((batch_size, length), dtype=np.int32)
    labels = np.full((batch_size, length), pad_id, dtype=np.int32)
    sample_weight = np.zeros((batch_size, length), dtype=np.float32)
    for row in range(batch_size):
        # Rows beyond the data repeat the first example with weight 0: a row of padding only has nothing to
        # attend to.
        example = examples[row] if row < len(examples) else examples[0]
        steps = len(example) - 1
        token_ids[row, :steps] = example.token_ids[:-1]
        labels[row, :steps] = example.token_ids[1:]
        padding_mask[row, :steps] = 1
        if row < len(examples):
            sample_weight[row, :steps] = example.learned[1:]
    return Batch(token_ids, padding_mask, labels, sample_weight, tuple(chosen))
