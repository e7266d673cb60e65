"""Gemma's SentencePiece tokenizer, read from a KerasHub preset or a Hugging Face folder without importing either."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families import chat as prompts

# Where KerasHub presets and Hugging Face folders keep the SentencePiece file.
PLACES = (
    "assets/tokenizer/vocabulary.spm",
    "vocabulary.spm",
    "tokenizer.model",
    "assets/tokenizer/tokenizer.model",
)


def tokenizer_file(preset: Path) -> Path:
    """The SentencePiece file of a preset folder.

    Raises:
        InputError: the folder holds none.
    """
    for place in PLACES:
        if (preset / place).is_file():
            return preset / place
    raise InputError(
        f"{preset}: no SentencePiece tokenizer found (looked for {', '.join(PLACES)}); is this a Gemma preset?"
    )


class Tokenizer:
    """Token ids of text in which Gemma's markers are read as markers.

    Args:
        path: a SentencePiece model file.

    Raises:
        InputError: the file is no SentencePiece model, or lacks one of Gemma's markers.
    """

    def __init__(self, path: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self.path = path
        try:
            self._processor = SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise InputError(f"{path}: not a SentencePiece model: {error}") from None
        missing = [
            token
            for token in (prompts.BOS, prompts.EOS, "<pad>", prompts.START_OF_TURN, prompts.END_OF_TURN)
            if self._processor.id_to_piece(self._processor.piece_to_id(token)) != token
        ]
        if missing:
            raise InputError(f"{path}: lacks {', '.join(missing)}: not a tokenizer of an instruction Gemma")
        self.bos_id: int = self._processor.piece_to_id(prompts.BOS)
        self.pad_id: int = self._processor.piece_to_id("<pad>")
        self.stop_ids: tuple[int, ...] = tuple(
            self._processor.piece_to_id(token) for token in prompts.STOP_TOKENS
        )

    @classmethod
    def of_preset(cls, preset: Path) -> "Tokenizer":
        """The tokenizer of a preset folder."""
        return cls(tokenizer_file(preset))

    @property
    def vocabulary_size(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> list[int]:
        """Ids of text, without <bos>."""
        return self._processor.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids."""
        return self._processor.decode([int(token) for token in ids])

    def prompt_ids(self, prompt: str) -> list[int]:
        """<bos> and the ids of a rendered prompt."""
        return [self.bos_id, *self.encode(prompt)]

    def response_ids(self, response: str) -> list[int]:
        """Ids of a response and of the <end_of_turn> that ends it."""
        return self.encode(prompts.render_answer(response))
