"""Examples as token IDs, and which of them the model is trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.data.examples import Example
from pipeline.gemma.tokenizer import Tokenizer


@dataclass(frozen=True)
class EncodedExample:
    """Token ids of one conversation.

    Attributes:
        token_ids: int32 (length,): start token, then by turns prompt, response and end-of-turn marker.
        learned: bool (length,): the tokens with loss, which are those of the trained responses, each
            with its end-of-turn marker.
    """

    token_ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True)
class EncodedExamples:
    """Tokenized examples and the padding ID."""

    examples: tuple[EncodedExample, ...]
    pad_id: int

    def __len__(self) -> int:
        return len(self.examples)

    def first(self, count: int) -> "EncodedExamples":
        """The first examples, at most `count` of them."""
        return EncodedExamples(self.examples[:count], self.pad_id)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, (examples,)."""
        return np.array([len(example) for example in self.examples], dtype=np.int64)

    @property
    def response_tokens(self) -> int:
        """Number of tokens with loss in one epoch: the responses, each with its end-of-turn marker."""
        return sum(int(example.learned.sum()) for example in self.examples)


def encode(examples: Sequence[Example], tokenizer: Tokenizer) -> EncodedExamples:
    """Tokenize examples.

    Prompt and response are tokenized separately, as in a runtime, where the prompt's tokens are fixed before
    the reply begins. A conversation with several trained responses is one sequence (`Example.segments`).
    """
    encoded = []
    for example in examples:
        ids, learned = [tokenizer.bos_id], [False]
        for segment in example.segments(tokenizer.chat):
            tokens = tokenizer.encode(segment.text)
            ids += tokens
            learned += [segment.learned] * len(tokens)
        encoded.append(EncodedExample(np.array(ids, dtype=np.int32), np.array(learned)))
    return EncodedExamples(tuple(encoded), tokenizer.pad_id)


def segment_lengths(examples: Iterable[Example], tokenizer: Tokenizer) -> list[list[int]]:
    """Numbers of tokens of each example's segments; the start token counts to the first."""
    texts = [[segment.text for segment in example.segments(tokenizer.chat)] for example in examples]
    lengths = iter(tokenizer.lengths(text for each in texts for text in each))
    return [[next(lengths) + (place == 0) for place in range(len(each))] for each in texts]
