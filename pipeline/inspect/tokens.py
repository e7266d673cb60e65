"""The tokenizer in a bundle, and the text of its start and stop tokens."""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from pipeline.inspect.facts import Token, Tokenizer

SENTENCEPIECE, HUGGING_FACE = "SentencePiece", "Hugging Face"


class Pieces:
    """Text by token id.

    Args:
        data: a SentencePiece model, or the section HF_Tokenizer_Zlib of a .litertlm.
        kind: which of them.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        self._text: dict[int, str] = {}
        self._processor: Any = None
        vocabulary: int | None = None
        try:
            if kind == SENTENCEPIECE:
                from sentencepiece import SentencePieceProcessor

                self._processor = SentencePieceProcessor()
                self._processor.LoadFromSerializedProto(data)
                vocabulary = self._processor.vocab_size()
            else:
                # The section is a uint64 with the size of the JSON, then the JSON, compressed.
                document = json.loads(zlib.decompress(data[8:]))
                self._text = {number: piece for piece, number in document["model"]["vocab"].items()}
                self._text |= {each["id"]: each["content"] for each in document.get("added_tokens", [])}
                vocabulary = len(self._text)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, zlib.error):
            pass
        self.facts = Tokenizer(kind, len(data), vocabulary)

    def text(self, ids: Iterable[int]) -> str | None:
        """The pieces of some ids; None when one is not in the vocabulary."""
        if self.facts.vocabulary is None:
            return None
        if self._processor is None:
            pieces = [self._text.get(number) for number in ids]
            return None if None in pieces else "".join(piece for piece in pieces if piece is not None)
        numbers = list(ids)
        if any(not 0 <= number < self.facts.vocabulary for number in numbers):
            return None
        return "".join(self._processor.id_to_piece(number) for number in numbers)

    def token(self, ids: Iterable[int]) -> Token:
        """A token given by its ids."""
        numbers = tuple(ids)
        return Token(numbers, self.text(numbers))

    def token_of(self, text: str) -> Token:
        """A token given by its text: the piece of that name if there is one, else as the tokenizer cuts it."""
        if self._processor is None or self.facts.vocabulary is None:
            return Token((), text)
        number = self._processor.piece_to_id(text)
        whole = self._processor.id_to_piece(number) == text
        return Token((number,) if whole else tuple(self._processor.encode(text)), text)
