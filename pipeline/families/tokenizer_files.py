"""Where KerasHub presets and Hugging Face folders keep their tokenizer."""

from collections.abc import Sequence
from pathlib import Path

SENTENCEPIECE_FILE, TOKENIZER_JSON = "tokenizer.model", "tokenizer.json"
"""In a Hugging Face folder."""

KERAS_TOKENIZER = "assets/tokenizer/vocabulary.spm"
"""Where a KerasHub preset has its tokenizer."""

SENTENCEPIECE_PATHS = (
    KERAS_TOKENIZER,
    "vocabulary.spm",
    SENTENCEPIECE_FILE,
    "assets/tokenizer/tokenizer.model",
)


def has_tokens(preset: Path, tokens: Sequence[str]) -> bool:
    """Whether the tokenizer of a preset folder has all of some tokens. Needs no tokenizer library; a
    SentencePiece model counts before a tokenizer.json, which is many times as large."""
    paths = (preset / name for name in (*SENTENCEPIECE_PATHS, TOKENIZER_JSON))
    content = next((path.read_bytes() for path in paths if path.is_file()), b"")
    return all(token.encode() in content for token in tokens)
