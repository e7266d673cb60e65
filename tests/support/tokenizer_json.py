"""The test tokenizer as a tokenizer.json, as transformers writes it."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.tokenizers import tokenizer_bytes


def write_tokenizer_json(
    path: Path,
    *,
    added: Mapping[str, int] | None = None,
    merges_as_text: bool = False,
    special_in_vocabulary_only: bool = False,
) -> Path:
    """Write it.

    Args:
        path: the file.
        added: further added tokens and their ids.
        merges_as_text: each merge as one text, as older versions write it, instead of a pair.
        special_in_vocabulary_only: no added tokens for pad, eos, bos and unk.
    """
    protobuf: Any = import_module("sentencepiece.sentencepiece_model_pb2")  # has no types
    pieces = protobuf.ModelProto.FromString(tokenizer_bytes()).pieces
    vocabulary = {piece.piece: index for index, piece in enumerate(pieces)}
    normal = {piece.piece: piece.score for piece in pieces if piece.type == 1}
    merges = [
        (-score, text[:cut], text[cut:])
        for text, score in normal.items()
        for cut in range(1, len(text))
        if text[:cut] in normal and text[cut:] in normal
    ]
    tokens = {
        piece.piece.replace("▁", " "): index
        for index, piece in enumerate(pieces)
        if piece.type in (2, 3, 4) and not (special_in_vocabulary_only and piece.type != 4)
    } | dict(added or {})
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": text, **plain, "special": True} for text, index in tokens.items()
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": [
                f"{left} {right}" if merges_as_text else [left, right] for _, left, right in sorted(merges)
            ],
        },
    }
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path
