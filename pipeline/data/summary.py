"""Statistics of the prepared examples: counts, token lengths, and the cost of a shorter maximum length."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.data.examples import Example
from pipeline.data.tokenize import segment_lengths
from pipeline.families.chat import ChatFormat, trim_answer
from pipeline.gemma.tokenizer import Tokenizer

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
POLICY_EFFECTS = {
    "dropped_missing": "without a prompt or a response, dropped",
    "dropped_duplicates": "duplicates dropped",
    "dropped_too_long": "too long, dropped",
    "truncated": "responses shortened to data.max_length",
}
"""The counts of rows that the policy of the data section changed, in words."""

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Maximum lengths, in tokens, whose cost is reported."""


def token_lengths(
    examples: Sequence[Example], tokenizer: Tokenizer
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number of tokens before the last response (markers included) and in it (with its end-of-turn marker),
    both (examples,)."""
    lengths = segment_lengths(examples, tokenizer)
    prompts, responses = [sum(each[:-1]) for each in lengths], [each[-1] for each in lengths]
    return np.array(prompts, dtype=np.int64), np.array(responses, dtype=np.int64)


def describe_learning(examples: Sequence[Example], tokenizer: Tokenizer) -> dict[str, int]:
    """How much of examples with several answers the model is trained on; empty if none has several.

    Returns:
        The numbers of conversations, answers and tokens, and of the answers and tokens that are trained on.
    """
    answers = [sum(turn["role"] == "assistant" for turn in example.messages) for example in examples]
    if max(answers, default=1) == 1:
        return {}
    learned = tokens = 0
    for example, lengths in zip(examples, segment_lengths(examples, tokenizer), strict=True):
        tokens += sum(lengths)
        segments = example.segments(tokenizer.chat)
        learned += sum(length for segment, length in zip(segments, lengths, strict=True) if segment.learned)
    return {
        "conversations": len(examples),
        "answers": sum(answers),
        "learned_answers": sum(1 + len(example.learned_earlier) for example in examples),
        "tokens": tokens,
        "learned_tokens": learned,
    }


def describe_tokens(examples: Sequence[Example], tokenizer: Tokenizer) -> dict[str, Any]:
    """Token-length quantiles of prompt, response and whole example, and the cost of maximum lengths below the
    longest example.

    Returns:
        {"prompt": {"p50": …, "total": …}, "response": …, "whole": …, "truncation": [{"max_length",
        "examples", "tokens"}, …]}; truncation counts the examples that would be shortened and the tokens that
        would be lost.
    """
    prompt, response = token_lengths(examples, tokenizer)
    whole = prompt + response
    return {
        "prompt": _quantiles(prompt),
        "response": _quantiles(response),
        "whole": _quantiles(whole),
        "truncation": [
            {
                "max_length": window,
                "examples": int((whole > window).sum()),
                "tokens": int(np.maximum(whole - window, 0).sum()),
            }
            for window in WINDOWS
            if len(whole) and window < whole.max()
        ],
    }


def _quantiles(lengths: npt.NDArray[np.int64]) -> dict[str, int]:
    if not len(lengths):
        return {}
    found = {name: int(np.quantile(lengths, share, method="higher")) for name, share in QUANTILES.items()}
    return found | {"total": int(lengths.sum())}


def prompts_with_several_responses(examples: Sequence[Example], chat: ChatFormat) -> int:
    """Number of prompts that are trained on with different responses: greedy decoding can reproduce only one
    of them."""
    responses: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        responses[example.prompt(chat)].add(example.response)
        for index, prompt in zip(example.learned_earlier, example.earlier_prompts(chat), strict=True):
            responses[prompt].add(trim_answer(example.messages[index]["content"]))
    return sum(len(found) > 1 for found in responses.values())
