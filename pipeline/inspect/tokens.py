"""The tokenizer in a bundle, and the text of its start and stop tokens."""

import json
import zlib
from collections.abc import Iterable

from pipeline.formats.protobuf import ERRORS, fields
from pipeline.inspect.facts import Token, Tokenizer

SENTENCEPIECE, HUGGING_FACE = "SentencePiece", "Hugging Face"

PIECES, PIECE = 1, 1
"""Fields of SentencePiece's ModelProto (sentencepiece_model.proto): the list of pieces by id, and in each of them its text."""


class Pieces:
    """Text by token id.

    Args:
        data: a SentencePiece model, or the section HF_Tokenizer_Zlib of a .litertlm.
        kind: which of them.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        try:
            pieces = _sentencepiece(data) if kind == SENTENCEPIECE else _hugging_face(data)
        except (*ERRORS, KeyError, zlib.error):
            pieces = {}
        self._pieces = pieces
        self.facts = Tokenizer(kind, len(data), len(pieces) or None)

    def token(self, ids: Iterable[int]) -> Token:
        """A token given by its ids; without a text when one is not in the vocabulary."""
        numbers = tuple(ids)
        pieces = [self._pieces.get(number) for number in numbers]
        return Token(
            numbers, None if None in pieces else b"".join(filter(None, pieces)).decode(errors="replace")
        )

    def token_of(self, text: str) -> Token:
        """A token given by its text; without ids when there is no such piece."""
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
    document = json.loads(zlib.decompress(data[8:]))
    pieces = {number: piece.encode() for piece, number in document["model"]["vocab"].items()}
    return pieces | {each["id"]: each["content"].encode() for each in document.get("added_tokens", [])}
