"""Writing a SentencePiece model with given pieces, as Gemma's own file has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import Any

SPACE = "▁"
"""SentencePiece's sign for a space."""


class PieceType(IntEnum):
    """Kinds of piece (sentencepiece_model.proto); llama.cpp numbers them the same."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """One token: its text, with real spaces or `SPACE`; of two possible merges, that with the higher score
    comes first."""

    text: str
    score: float
    type: int


def serialize(pieces: Sequence[Piece], specials: Mapping[str, int], *, dummy_prefix: bool = False) -> bytes:
    """The bytes of a tokenizer.model.

    Args:
        pieces: by token id.
        specials: the ids of pad, eos, bos and unk.
        dummy_prefix: whether a space is put before a text.
    """
    protobuf: Any = import_module("sentencepiece.sentencepiece_model_pb2")  # has no types
    model = protobuf.ModelProto()
    for piece in pieces:
        model.pieces.add(piece=piece.text.replace(" ", SPACE), score=piece.score, type=int(piece.type))
    trainer = model.trainer_spec
    trainer.model_type = protobuf.TrainerSpec.BPE
    trainer.vocab_size = len(pieces)
    trainer.byte_fallback = True
    for name, index in specials.items():
        setattr(trainer, f"{name}_id", index)
        setattr(trainer, f"{name}_piece", pieces[index].text)
    normalizer = model.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = dummy_prefix
    normalizer.remove_extra_whitespaces = False
    normalizer.escape_whitespaces = True
    serialized: bytes = model.SerializeToString()
    return serialized
