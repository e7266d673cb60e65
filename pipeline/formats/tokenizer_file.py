"""The vocabulary of a tokenizer file: the text of its pieces by token id. Needs no tokenizer library."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.foreign import parse_json
from pipeline.formats.protobuf import ERRORS, fields

SENTENCEPIECE, HUGGING_FACE = "SentencePiece", "Hugging Face"

PIECES, PIECE = 1, 1
"""Fields of SentencePiece's ModelProto (sentencepiece_model.proto): the list of pieces by id, and in each of
them its text."""


@dataclass(frozen=True)
class Token:
    """A token: its ids, and their text by the tokenizer; None when it is not in the vocabulary."""

    ids: tuple[int, ...]
    text: str | None


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer file; vocabulary is its number of pieces, None when it cannot be read."""

    kind: str
    bytes: int
    vocabulary: int | None


class Vocabulary:
    """Text by token id. A file that cannot be read has no pieces.

    Args:
        data: a SentencePiece model, or the section HF_Tokenizer_Zlib of a .litertlm.
        kind: SENTENCEPIECE or HUGGING_FACE.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        try:
            pieces = _sentencepiece(data) if kind == SENTENCEPIECE else _hugging_face(data)
        except (*ERRORS, KeyError, zlib.error):
            pieces = {}
        self._pieces = pieces
        self.facts = Tokenizer(kind, len(data), len(pieces) or None)

    def token(self, ids: Iterable[int]) -> Token:
        """The token with these ids; without text when one of them is not in the vocabulary."""
        numbers = tuple(ids)
        pieces = [self._pieces.get(number) for number in numbers]
        return Token(
            numbers, None if None in pieces else b"".join(filter(None, pieces)).decode(errors="replace")
        )

    def token_of(self, text: str) -> Token:
        """The token with this text; without ids when there is no such piece."""
        wanted = text.encode()
        return Token(tuple(number for number, piece in self._pieces.items() if piece == wanted)[:1], text)


def _sentencepiece(data: bytes) -> dict[int, bytes]:
    pieces = (value for field, value in fields(data) if field == PIECES and isinstance(value, bytes))
    # The text is a piece's first field, a string: its key, its length in one byte or more, then itself.
    return {number: _text(piece) for number, piece in enumerate(pieces)}


def _text(piece: bytes) -> bytes:
    if piece[:1] == b"\x0a" and piece[1] < 128:
        return piece[2 : 2 + piece[1]]
    return next((value for field, value in fields(piece) if field == PIECE and isinstance(value, bytes)), b"")


def _hugging_face(data: bytes) -> dict[int, bytes]:
    # The section is a uint64 with the size of the JSON, then the JSON, compressed.
    document = parse_json(zlib.decompress(data[8:]))
    pieces = {number: piece.encode() for piece, number in document["model"]["vocab"].items()}
    return pieces | {each["id"]: each["content"].encode() for each in document.get("added_tokens", [])}
