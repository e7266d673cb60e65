"""Promise: pieces are those of the tokenizer's own library, by id and by text; a file that cannot be read has
none."""

import json
import zlib
from pathlib import Path

from pipeline.formats.tokenizer_file import HUGGING_FACE, SENTENCEPIECE, Token, Tokenizer, Vocabulary
from tests.support.tokenizers import make_tokenizer


def test_pieces_are_those_of_sentencepiece(tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    path = make_tokenizer(tmp_path).path
    library = SentencePieceProcessor(model_file=str(path))
    vocabulary = Vocabulary(path.read_bytes(), SENTENCEPIECE)
    assert vocabulary.facts == Tokenizer(SENTENCEPIECE, path.stat().st_size, library.vocab_size())
    for number in range(library.vocab_size()):
        assert vocabulary.token([number]) == Token((number,), library.id_to_piece(number))
    stop = library.piece_to_id("<end_of_turn>")
    assert vocabulary.token_of("<end_of_turn>") == Token((stop,), "<end_of_turn>")


def test_pieces_of_a_hugging_face_tokenizer_are_read() -> None:
    document = {"model": {"vocab": {"a": 0, "ü": 1}}, "added_tokens": [{"id": 2, "content": "<end>"}]}
    text = json.dumps(document).encode()
    data = len(text).to_bytes(8, "little") + zlib.compress(text)
    vocabulary = Vocabulary(data, HUGGING_FACE)
    assert vocabulary.facts == Tokenizer(HUGGING_FACE, len(data), 3)
    assert vocabulary.token([1, 2]) == Token((1, 2), "ü<end>")


def test_what_is_not_in_the_vocabulary_is_left_open() -> None:
    vocabulary = Vocabulary(b"no tokenizer", SENTENCEPIECE)
    assert vocabulary.facts.vocabulary is None
    assert vocabulary.token([5]) == Token((5,), None)
    assert vocabulary.token_of("x") == Token((), "x")
    assert Vocabulary(b"no tokenizer at all", HUGGING_FACE).facts.vocabulary is None
