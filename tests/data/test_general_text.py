"""Promise: the general text is plain text without control tokens, and every token of it counts."""

from pathlib import Path

from pipeline.data.general_text import general_text
from pipeline.gemma.tokenizer import Tokenizer

BASE = Path(__file__).parents[2] / "pipeline" / "demo" / "base"


def test_every_token_after_the_start_counts() -> None:
    tokenizer = Tokenizer.of_preset(BASE)
    text = general_text(tokenizer)
    assert len(text) == 12
    assert text.response_tokens == int(text.lengths.sum()) - len(text)
    for example in text.examples:
        assert example.token_ids[0] == tokenizer.bos_id
        assert not example.learned[0]
    first = tokenizer.decode(text.examples[0].token_ids[1:].tolist())
    assert first.startswith("A river rarely runs straight for long.")
