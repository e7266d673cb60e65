"""Gemma's SentencePiece tokenizer, read from a KerasHub preset or a Hugging Face folder without importing
either."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message
from pipeline.families.registry import read_family
from pipeline.families.tokenizer_files import SENTENCEPIECE_PATHS
from pipeline.foreign import LFS_POINTER, refuse_pointer
from pipeline.machine import available_cores

BATCH = 4096
"""Texts that are encoded at a time, in parallel; more would only take memory."""


def tokenizer_file(preset: Path) -> Path:
    """The SentencePiece file of a preset folder.

    Raises:
        InputError: the folder has none.
    """
    for path in SENTENCEPIECE_PATHS:
        if (preset / path).is_file():
            return preset / path
    raise InputError(
        f"{preset}: no SentencePiece tokenizer (looked for {', '.join(SENTENCEPIECE_PATHS)}); is this a "
        "Gemma preset?"
    )


class Tokenizer:
    """Token IDs of text in which a family's markers are single tokens.

    Args:
        path: a SentencePiece model file.
        chat: the family's chat format.

    Raises:
        InputError: the file is not a SentencePiece model, or lacks one of the family's markers.
    """

    def __init__(self, path: Path, chat: ChatFormat) -> None:
        from sentencepiece import SentencePieceProcessor

        self.path = path
        self.chat = chat
        self._lengths: dict[str, int] = {}
        try:
            with path.open("rb") as file:
                refuse_pointer(path, file.read(len(LFS_POINTER)))
            self._processor = SentencePieceProcessor(model_file=str(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
        except RuntimeError:
            raise InputError(
                f"{path}: damaged, or not a SentencePiece model; copy or download it again"
            ) from None
        missing = [
            token
            for token in (chat.bos, chat.eos, chat.pad, chat.start_of_turn, chat.end_of_turn)
            if self._processor.id_to_piece(self._processor.piece_to_id(token)) != token
        ]
        if missing:
            raise InputError(
                f"{path}: lacks {', '.join(missing)}: not the tokenizer of an instruction-tuned Gemma"
            )
        self.bos_id: int = self._processor.piece_to_id(chat.bos)
        self.pad_id: int = self._processor.piece_to_id(chat.pad)
        self.stop_ids: tuple[int, ...] = tuple(
            self._processor.piece_to_id(token) for token in chat.stop_tokens
        )

    @classmethod
    def of_preset(cls, preset: Path) -> "Tokenizer":
        """The tokenizer of a preset folder, with the chat format of its family."""
        return cls(tokenizer_file(preset), read_family(preset).chat)

    @property
    def vocabulary_size(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> list[int]:
        """IDs of text, without `bos`."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def lengths(self, texts: Iterable[str]) -> list[int]:
        """Numbers of tokens of texts, without `bos`. A text that was counted before is not encoded again."""
        wanted = list(texts)
        new = [text for text in dict.fromkeys(wanted) if text not in self._lengths]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            encoded = self._processor.encode(batch, num_threads=available_cores())
            self._lengths.update(zip(batch, map(len, encoded), strict=True))
        return [self._lengths[text] for text in wanted]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of IDs."""
        text: str = self._processor.decode([int(token) for token in ids])
        return text

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a conversation up to where the reply begins: `bos`, turns and markers."""
        return [self.bos_id, *self.encode(self.chat.render_prompt(messages))]

    def response_ids(self, response: str) -> list[int]:
        """The ids of a response and of the marker that ends it."""
        return self.encode(self.chat.render_answer(response))
