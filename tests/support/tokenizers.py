"""A tokenizer for tests: Gemma's control tokens, and bytes for everything else."""

import io
from functools import cache
from pathlib import Path

import sentencepiece

from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer

MARKERS = ("<mask>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>")
SENTENCES = (
    "What is the symbol of gold? It is Au.",
    "Which planet is the largest? Jupiter is the largest planet.",
    "How many protons has carbon? Carbon has six protons.",
)


@cache
def tokenizer_bytes() -> bytes:
    """A SentencePiece model with ids as in Gemma: <pad> 0, <eos> 1, <bos> 2, <unk> 3."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 10),
        model_writer=model,
        model_type="bpe",
        vocab_size=340,
        byte_fallback=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        unk_piece="<unk>",
        user_defined_symbols=list(MARKERS),
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def write_tokenizer(path: Path) -> Path:
    """The SentencePiece file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tokenizer_bytes())
    return path


def make_tokenizer(folder: Path) -> Tokenizer:
    """A Tokenizer whose file lies in `folder`."""
    return Tokenizer(write_tokenizer(folder / "tokenizer.model"), CHAT)
