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
from pipeline.families.tokenizer_files import SENTENCEPIECE_FILE, TOKENIZER_JSON
from pipeline.formats.tokenizer_file import SENTENCEPIECE, Vocabulary
from pipeline.gemma.sentencepiece_model import SPACE, Piece, PieceType, serialize

ADDED_TOKENS = "added_tokens.json"
"""Tokens and ids, as older versions of transformers save them beside tokenizer.model."""

IMAGE_TOKEN = "<image_soft_token>"
"""Stands for an image in Gemma 3, behind the last row of the embedding."""

BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def has_more_tokens(path: Path, sentencepiece: Path, rows: int) -> bool:
    """Whether a tokenizer.json has tokens that a SentencePiece model lacks, behind its last piece or in place
    of a piece that was unused.

    Args:
        path: of the tokenizer.json.
        sentencepiece: of the SentencePiece model.
        rows: of the embedding; a token beyond it does not count. Text-only Gemma 3 folders list a token for
            images there.

    Raises:
        InputError: the file is no tokenizer.json.
    """
    vocabulary = Vocabulary(sentencepiece.read_bytes(), SENTENCEPIECE)
    return any(
        number < rows and vocabulary.token((number,)).text != content.replace(" ", SPACE)
        for content, number in _added_tokens(path, read_json(path)).items()
    )


def check_added_tokens(folder: Path) -> None:
    """Check that a folder with tokens in added_tokens.json has a tokenizer.json, which lists them, too.

    Raises:
        InputError: it has none, and tokenizer.model lacks a token: text would be split into other pieces than
            in training; or added_tokens.json lists no ids.
    """
    listed, sentencepiece = folder / ADDED_TOKENS, folder / SENTENCEPIECE_FILE
    if not listed.is_file() or (folder / TOKENIZER_JSON).is_file() or not sentencepiece.is_file():
        return
    vocabulary = Vocabulary(sentencepiece.read_bytes(), SENTENCEPIECE)
    for content, number in _ids(listed, read_json(listed)).items():
        if vocabulary.token((number,)).text != content.replace(" ", SPACE) and content != IMAGE_TOKEN:
            raise InputError(
                f"{listed}: {content!r} was added to the vocabulary, but {SENTENCEPIECE_FILE} lacks it; "
                f"save the tokenizer again with its {TOKENIZER_JSON}"
            )


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
    vocabulary = _ids(path, section(path, model, "vocab"))
    added = _added_tokens(path, document)
    texts = {index: text for text, index in {**vocabulary, **added}.items()}
    ids = {name: {**vocabulary, **added}.get(text) for name, text in specials.items()}
    missing = [specials[name] for name, index in ids.items() if index is None]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}: not Gemma's tokenizer")
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(_merges(path, model)):
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


def _ids(path: Path, listed: Mapping[str, Any]) -> Mapping[str, int]:
    """Ids by the text of tokens, checked.

    Raises:
        InputError: an id is no whole number, 0 or more.
    """
    for text, number in listed.items():
        if type(number) is not int or number < 0:
            raise InputError(
                f"{path}: the id of {text!r:.60} is {number!r:.60}, expected a whole number; save the "
                "tokenizer again"
            )
    return listed


def _added_tokens(path: Path, document: Mapping[str, Any]) -> Mapping[str, int]:
    """Ids of the added tokens of a tokenizer.json by their text.

    Raises:
        InputError: they are not listed as objects with content and id.
    """
    listed = document.get("added_tokens") or []
    if not isinstance(listed, list) or not all(
        isinstance(each, dict) and isinstance(each.get("content"), str) for each in listed
    ):
        raise InputError(
            f"{path}: added_tokens is {listed!r:.60}, expected a list of objects with content and id; save "
            "the tokenizer again"
        )
    return _ids(path, {each["content"]: each.get("id") for each in listed})


def _merges(path: Path, model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of pieces; older files write them as one text with a space between.

    Raises:
        InputError: one is no pair.
    """
    merges = model.get("merges") or []
    if not isinstance(merges, list):
        raise InputError(f"{path}: model.merges is {merges!r:.60}, expected a list; save the tokenizer again")
    for merge in merges:
        pair = merge.split(" ", 1) if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise InputError(
                f"{path}: model.merges has {merge!r:.60}, expected a pair of pieces; save the tokenizer again"
            )
        yield pair[0], pair[1]
