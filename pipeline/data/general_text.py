"""General English text: a model that forgets in training predicts it worse afterwards."""

from importlib.resources import files

import numpy as np

from pipeline.data.tokenize import EncodedExample, EncodedExamples
from pipeline.gemma.tokenizer import Tokenizer


def general_text(tokenizer: Tokenizer) -> EncodedExamples:
    """Twelve passages about everyday matters as plain text, without turns; every token after the start token
    counts."""
    text = files("pipeline.data").joinpath("general_text.txt").read_text(encoding="utf-8")
    encoded = []
    for passage in text.strip().split("\n\n"):
        ids = np.array([tokenizer.bos_id, *tokenizer.encode(passage)], np.int32)
        encoded.append(EncodedExample(ids, np.arange(len(ids)) > 0))
    return EncodedExamples(tuple(encoded), tokenizer.pad_id)
