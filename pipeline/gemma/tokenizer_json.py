"""The SentencePiece model that a tokenizer.json describes.

Newer Hugging Face folders come without tokenizer.model, and a fine-tuned one may have tokens that only
tokenizer.json lists. A .litertlm holds a SentencePiece model.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.families.config import read_json, section
from pipeline.formats.tokenizer_file import SENTENCEPIECE, Vocabulary
from pipeline.gemma.sentencepiece_model import Piece, PieceType, serialize

BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def has_more_tokens(path: Path, sentencepiece: Path, rows: int) -> bool:
    """Whether a tokenizer.json has tokens that a SentencePiece model lacks.

    Args:
        path: of the tokenizer.json.
        sentencepiece: of the SentencePiece model.
        rows: of the embedding; a token beyond it does not count. Text-only Gemma 3 folders list a token for
            images there.
    """
    pieces = Vocabulary(sentencepiece.read_bytes(), SENTENCEPIECE).facts.vocabulary or 0
    return any(pieces <= int(token["id"]) < rows for token in read_json(path).get("added_tokens") or ())


def sentencepiece_model(path: Path, specials: Mapping[str, str], rows: int) -> bytes:
    """The serialized SentencePiece model with the ids of a tokenizer.json.

    A piece's score is the rank of the first merge that makes it: tokenizer.json lists the merges of a
    SentencePiece model from the highest score to the lowest.

    Args:
        path: of the tokenizer.json.
        specials: text of the tokens pad, eos, bos and unk.
        rows: of the embedding; tokens beyond it are left out.

    Raises:
        InputError: not a BPE tokenizer with byte fallback, or it lacks a special token.
    """
    document = read_json(path)
    model = section(path, document, "model")
    if model.get("type") != "BPE" or not model.get("byte_fallback"):
        raise InputError(
            f"{path}: model.type is {model.get('type')!r}, expected 'BPE' with byte_fallback: not Gemma's "
            "tokenizer"
        )
    vocabulary: dict[str, int] = section(path, model, "vocab")
    added = {str(token["content"]): int(token["id"]) for token in document.get("added_tokens") or ()}
    texts = {index: text for text, index in {**vocabulary, **added}.items()}
    ids = {name: {**vocabulary, **added}.get(text) for name, text in specials.items()}
    missing = [specials[name] for name, index in ids.items() if index is None]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}: not Gemma's tokenizer")
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(_merges(model)):
        ranks.setdefault("".join(pair), rank)
    controls = {index for index in ids.values() if index is not None}
    pieces = []
    for index in range(min(max(texts) + 1, rows)):
        text = texts.get(index)
        if text is None:
            pieces.append(Piece(f"<gap{index}>", 0.0, PieceType.UNUSED))
        elif index == ids["unk"]:
            pieces.append(Piece(text, 0.0, PieceType.UNKNOWN))
        elif index in controls:
            pieces.append(Piece(text, 0.0, PieceType.CONTROL))
        elif BYTE.fullmatch(text):
            pieces.append(Piece(text, 0.0, PieceType.BYTE))
        elif text in added:
            pieces.append(Piece(text, 0.0, PieceType.USER_DEFINED))
        else:
            pieces.append(Piece(text, -float(ranks.get(text, len(ranks))), PieceType.NORMAL))
    return serialize(pieces, {name: index for name, index in ids.items() if index is not None})


def _merges(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of pieces; older files write them as one text with a space between."""
    for merge in model.get("merges") or ():
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        yield left, right
