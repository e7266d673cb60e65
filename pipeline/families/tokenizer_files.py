"""Where KerasHub presets and Hugging Face folders keep their tokenizer."""

from collections.abc import Sequence
from pathlib import Path

SENTENCEPIECE_FILE, TOKENIZER_JSON = "tokenizer.model", "tokenizer.json"
"""In a Hugging Face folder."""

SENTENCEPIECE_PATHS = (
    "assets/tokenizer/vocabulary.spm",
    "vocabulary.spm",
    SENTENCEPIECE_FILE,
    "assets/tokenizer/tokenizer.model",
)


def has_tokens(preset: Path, tokens: Sequence[str]) -> bool:
    """Whether the tokenizer of a preset folder has all of some tokens; reads no tokenizer library."""
    files = [path for name in (*SENTENCEPIECE_PATHS, TOKENIZER_JSON) if (path := preset / name).is_file()]
    contents = (path.read_bytes() for path in files)
    return any(all(token.encode() in content for token in tokens) for content in contents)
