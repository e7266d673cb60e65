"""The SentencePiece model inside a GGUF file, as the file that every other tool expects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.gemma.sentencepiece_model import Piece, PieceType, serialize

SENTENCEPIECE = "llama"
"""What llama.cpp calls a SentencePiece tokenizer."""


def tokenizer_model(path: Path, metadata: Mapping[str, Any]) -> bytes:
    """The serialized SentencePiece model of a GGUF's tokenizer.

    llama.cpp stores Gemma's markers, such as the start of a turn, as control tokens, which SentencePiece
    never finds in a text. In Gemma's own file they are user-defined pieces, so that is what they become.

    Args:
        path: of the GGUF file, for messages.
        metadata: of the GGUF file.

    Raises:
        InputError: the file has no tokenizer, one of another kind, or lists of different lengths.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind != SENTENCEPIECE:
        raise InputError(
            f"{path}: tokenizer.ggml.model is {kind!r}; Gemma has a SentencePiece tokenizer "
            f"({SENTENCEPIECE!r})"
        )
    lists = [metadata.get(f"tokenizer.ggml.{name}") for name in ("tokens", "scores", "token_type")]
    if not all(isinstance(each, list) for each in lists) or len({len(each or ()) for each in lists}) != 1:
        raise InputError(
            f"{path}: tokenizer.ggml.tokens, .scores and .token_type are not lists of the same length; "
            "download the file again"
        )
    tokens, scores, types = lists
    assert tokens is not None and scores is not None and types is not None
    specials = {
        name: int(metadata.get(f"tokenizer.ggml.{key}_token_id", default))
        for name, key, default in (
            ("pad", "padding", 0),
            ("eos", "eos", 1),
            ("bos", "bos", 2),
            ("unk", "unknown", 3),
        )
    }
    outside = [name for name, index in specials.items() if not 0 <= index < len(tokens)]
    if outside:
        raise InputError(f"{path}: the IDs of {', '.join(outside)} are outside the {len(tokens)} tokens")

    pieces = []
    for index, (token, score, number) in enumerate(zip(tokens, scores, types, strict=True)):
        if index == specials["unk"]:
            number = PieceType.UNKNOWN
        elif number == PieceType.CONTROL and index not in specials.values():
            number = PieceType.USER_DEFINED
        pieces.append(Piece(token, float(score), int(number)))
    prefix = bool(metadata.get("tokenizer.ggml.add_space_prefix", False))
    return serialize(pieces, specials, dummy_prefix=prefix)
