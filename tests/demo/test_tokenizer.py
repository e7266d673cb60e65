"""The tokenizer is reproducible, and has what KerasHub and the prompt format need."""

from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor

from pipeline.demo.build import BASE_FOLDER, TOKENIZER_IN_BASE
from pipeline.demo.tokenizer import (
    BOS_ID,
    EOS_ID,
    PAD_ID,
    UNK_ID,
    VOCABULARY_SIZE,
    train_tokenizer,
)
from pipeline.families.turns import CHAT


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(BASE_FOLDER / TOKENIZER_IN_BASE))


def test_training_gives_the_committed_file_byte_for_byte(tmp_path: Path) -> None:
    train_tokenizer(tmp_path / "tokenizer.model")
    assert (tmp_path / "tokenizer.model").read_bytes() == (BASE_FOLDER / TOKENIZER_IN_BASE).read_bytes()


def test_control_tokens_have_gemmas_ids_and_are_one_piece_each(tokenizer: SentencePieceProcessor) -> None:
    assert tokenizer.vocab_size() == VOCABULARY_SIZE
    assert [tokenizer.id_to_piece(i) for i in (PAD_ID, EOS_ID, BOS_ID, UNK_ID)] == [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
    ]
    for token in (*CHAT.control_tokens, "<img>"):
        assert tokenizer.piece_to_id(token) != UNK_ID or token == "<unk>"
    for token in ("<start_of_turn>", "<end_of_turn>", "\n"):
        assert tokenizer.encode(token) == [tokenizer.piece_to_id(token)]


@pytest.mark.parametrize(
    "text", ["Ünïcode 漢字 🙂", "  two  spaces ", CHAT.render_question("What is 12 + 305?"), "\ttab"]
)
def test_any_text_comes_back_unchanged(tokenizer: SentencePieceProcessor, text: str) -> None:
    assert UNK_ID not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_stand_alone(tokenizer: SentencePieceProcessor) -> None:
    assert tokenizer.encode("305", out_type=str)[-3:] == ["3", "0", "5"]
