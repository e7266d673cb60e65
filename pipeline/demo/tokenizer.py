"""The demo's SentencePiece tokenizer: Gemma's control tokens, bytes for what it does not know, single digits,
about a thousand pieces."""

import io
import random
from collections.abc import Iterator
from pathlib import Path

from pipeline.demo.text import document
from pipeline.families.turns import CHAT

VOCABULARY_SIZE = 1024
TRAINING_DOCUMENTS = 40_000
TRAINING_SEED = 0

PAD_ID, EOS_ID, BOS_ID, UNK_ID = 0, 1, 2, 3
"""Gemma's own."""

_MASK, *_IMAGE_MARKERS = CHAT.other_control_tokens

SYMBOLS = (
    CHAT.start_of_turn,
    CHAT.end_of_turn,
    _MASK,
    "[multimodal]",
    "<img>",
    "\n",
    *_IMAGE_MARKERS,
    "<image_soft_token>",
)
"""Pieces that are never split. The image tokens are never used; KerasHub's Gemma 3 tokenizer and its exporter
look for them."""


def _corpus() -> Iterator[str]:
    rng = random.Random(TRAINING_SEED)
    for _ in range(TRAINING_DOCUMENTS):
        text = document(rng)
        if isinstance(text, str):
            yield text
        else:
            for turn in text:
                yield f"{turn.prompt}\n{turn.response}"


def train_tokenizer(path: Path) -> None:
    """Train the tokenizer on the base's text and write the SentencePiece model; the same bytes each time."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=_corpus(),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE,
        byte_fallback=True,
        split_digits=True,
        character_coverage=1.0,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        pad_id=PAD_ID,
        eos_id=EOS_ID,
        bos_id=BOS_ID,
        unk_id=UNK_ID,
        pad_piece=CHAT.pad,
        eos_piece=CHAT.eos,
        bos_piece=CHAT.bos,
        unk_piece=CHAT.unk,
        user_defined_symbols=list(SYMBOLS),
        shuffle_input_sentence=False,
        num_threads=1,
        minloglevel=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())
