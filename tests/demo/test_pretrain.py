"""Batches are reproducible and rows keep their documents apart; the rate warms up."""

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from pipeline.demo.build import BASE_FOLDER, TOKENIZER_IN_BASE
from pipeline.demo.pretrain import ROW_LENGTH, ROWS, Rows, Schedule, Size, batch, encode, new_model
from pipeline.demo.text import Question
from pipeline.demo.tokenizer import BOS_ID, PAD_ID


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(BASE_FOLDER / TOKENIZER_IN_BASE))


@pytest.fixture(scope="module")
def rows(tokenizer: SentencePieceProcessor) -> Rows:
    return batch(tokenizer, seed=5, step=7)


def test_a_step_always_gets_the_same_batch_and_another_step_another(
    tokenizer: SentencePieceProcessor, rows: Rows
) -> None:
    assert np.array_equal(rows.ids, batch(tokenizer, seed=5, step=7).ids)
    assert not np.array_equal(rows.ids, batch(tokenizer, seed=5, step=8).ids)


def test_rows_are_full_and_every_document_begins_with_bos(rows: Rows) -> None:
    assert rows.ids.shape == (ROWS, ROW_LENGTH)
    assert (rows.segments > 0).mean() > 0.9
    begins = np.diff(rows.segments, axis=1, prepend=0) > 0
    assert (rows.ids[begins] == BOS_ID).all()
    assert (rows.ids == BOS_ID).sum() == begins.sum()


def test_padding_and_questions_are_not_what_is_learned(tokenizer: SentencePieceProcessor, rows: Rows) -> None:
    assert (rows.weights[rows.segments == 0] == 0).all()
    assert (rows.ids[rows.segments == 0] == PAD_ID).all()
    ids, weights = encode(tokenizer, (Question("What is 1 + 1?", "1 plus 1 is 2.", "arithmetic"),))
    learned = [token for token, weight in zip(ids, weights, strict=True) if weight == 1.0]
    assert tokenizer.decode(learned) == "1 plus 1 is 2.<end_of_turn>\n"
    assert ids[0] == BOS_ID and weights[0] == 0.0


def test_the_rate_rises_and_stays() -> None:
    schedule = Schedule(steps=1000, warmup=100, rate=1.0)
    rates = [schedule.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[49] == pytest.approx(0.5)
    assert set(rates[99:]) == {1.0}


@pytest.mark.slow
def test_the_committed_size_is_the_default_and_a_larger_one_is_asked_for() -> None:
    def weights(**size: int) -> int:
        return sum(weight.numel() for weight in new_model(Size(**size)).parameters())

    assert weights() == 1_560_064
    assert weights(layers=7, hidden=320, head_dim=64, feed_forward=1280) == 10_373_056


def test_a_step_of_fewer_rows_has_fewer(tokenizer: SentencePieceProcessor) -> None:
    assert batch(tokenizer, seed=5, step=7, rows=8).ids.shape == (8, ROW_LENGTH)
