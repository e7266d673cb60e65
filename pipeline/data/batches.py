"""Batches of examples of similar length, so that little of a batch is padding.

Examples are not packed into one sequence: batches by length leave little padding, and attention and positions
stay those of separate sequences (docs/decisions/batches.md).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.data.tokenize import EncodedExamples

LENGTH_STEP = 16
"""The lengths of batches that are compiled are multiples of this: accelerators compute in tiles."""

MOST_LENGTHS = 8
"""Different lengths of batches that are compiled. Each is a shape that XLA compiles, which takes seconds."""

SORTED_BATCHES = 50
"""Batches whose examples are sorted by length together. With more there is hardly less padding, and the order
is less random."""

Plan = list[tuple[list[int], int]]
"""The indices of the examples of each batch, and its length."""


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


def steps_per_epoch(encoded: EncodedExamples, batch_size: int) -> int:
    """How many batches `batches` yields."""
    return math.ceil(len(encoded) / batch_size)


def batches(
    encoded: EncodedExamples,
    batch_size: int,
    *,
    seed: int | None = None,
    epoch: int = 0,
    any_length: bool = False,
    rows: int | None = None,
) -> Iterator[Batch]:
    """All examples once, in batches of similar length.

    Args:
        encoded: the examples.
        batch_size: examples of each batch; the last one may have fewer.
        seed: decides the order of examples and batches, together with the epoch; None sorts by length.
        epoch: a different order each epoch.
        any_length: a batch is as long as its longest example; False: it has one of a few lengths
            (`few_lengths`), for backends that compile every shape.
        rows: of the arrays; None: `batch_size`. Rows beyond the examples have weight 0.

    Yields:
        Batch, every array (rows, length). The loss weight is 1 where the label is a trained token.
    """
    for chosen, length in plan(encoded, batch_size, seed=seed, epoch=epoch, any_length=any_length):
        yield _batch(encoded, chosen, rows or batch_size, length)


def plan(
    encoded: EncodedExamples,
    batch_size: int,
    *,
    seed: int | None = None,
    epoch: int = 0,
    any_length: bool = False,
) -> Plan:
    """Which examples `batches` puts into which batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not encoded.examples:
        return []
    random = None if seed is None else np.random.default_rng((seed, epoch))
    # One less than the example: its last token is only a label.
    lengths = encoded.lengths - 1
    order = np.arange(len(lengths)) if random is None else random.permutation(len(lengths))
    found = _by_length(lengths, order, batch_size) if any_length else _by_bucket(lengths, order, batch_size)
    return found if random is None else [found[place] for place in random.permutation(len(found))]


def padding_share(encoded: EncodedExamples, planned: Plan) -> float:
    """The share of the positions of some batches that no token fills; rows beyond the examples do not
    count."""
    positions = sum(len(chosen) * length for chosen, length in planned)
    lengths = encoded.lengths
    tokens = sum(int((lengths[chosen] - 1).sum()) for chosen, _ in planned)
    return 1 - tokens / positions if positions else 0.0


def few_lengths(lengths: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """The lengths of batches with which the least is padding: at most MOST_LENGTHS multiples of LENGTH_STEP,
    ascending; the last one holds the longest example.

    Args:
        lengths: of the examples, (examples,); at least one.
    """
    ends, counts = np.unique(-(-lengths // LENGTH_STEP) * LENGTH_STEP, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    # padded[first, last]: positions of the examples from one end to another, all as long as the latter.
    padded = np.where(
        np.tri(len(ends), dtype=bool).T, ends * (before[1:] - before[:-1, None]), np.iinfo(np.int64).max // 2
    )
    least, firsts = padded[0], [np.zeros(len(ends), np.int64)]
    for _ in range(1, min(MOST_LENGTHS, len(ends))):
        # The last batch length begins after one of the ends, with the others up to there.
        totals = np.concatenate([[0], least[:-1]])[:, None] + padded
        firsts.append(totals.argmin(axis=0))
        least = totals.min(axis=0)
    chosen, last = [], len(ends) - 1
    for first in reversed(firsts):
        chosen.append(int(ends[last]))
        last = int(first[last]) - 1
        if last < 0:
            break
    return tuple(reversed(chosen))


def _by_length(lengths: npt.NDArray[np.int64], order: npt.NDArray[np.int64], batch_size: int) -> Plan:
    """Each batch as long as its longest example; examples are sorted within parts of the order."""
    found: Plan = []
    together = SORTED_BATCHES * batch_size
    for start in range(0, len(order), together):
        part = order[start : start + together]
        part = part[np.argsort(lengths[part], kind="stable")]
        for first in range(0, len(part), batch_size):
            chosen = part[first : first + batch_size]
            found.append((chosen.tolist(), int(lengths[chosen].max())))
    return found


def _by_bucket(lengths: npt.NDArray[np.int64], order: npt.NDArray[np.int64], batch_size: int) -> Plan:
    """Each batch with one of a few lengths. Examples that do not fill a batch of their length move to the
    next longer one."""
    found: Plan = []
    waiting: list[int] = []
    ends = few_lengths(lengths)
    bucket = np.searchsorted(ends, lengths[order])
    for number, length in enumerate(ends):
        waiting += order[bucket == number].tolist()
        while len(waiting) >= batch_size:
            found.append((waiting[:batch_size], length))
            waiting = waiting[batch_size:]
    if waiting:
        found.append((waiting, ends[-1]))
    return found


def _batch(encoded: EncodedExamples, chosen: Sequence[int], rows: int, length: int) -> Batch:
    examples, pad_id = [encoded.examples[index] for index in chosen], encoded.pad_id
    token_ids = np.full((rows, length), pad_id, dtype=np.int32)
    padding_mask = np.zeros((rows, length), dtype=np.int32)
    labels = np.full((rows, length), pad_id, dtype=np.int32)
    sample_weight = np.zeros((rows, length), dtype=np.float32)
    for row in range(rows):
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
