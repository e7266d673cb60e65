from pathlib import Path

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.data.summary import describe_tokens, prompts_with_several_responses, token_lengths
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.tokenizers import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return make_tokenizer(Path(tmp_path_factory.mktemp("tokenizer")))


def example(prompt: str, response: str) -> Example:
    return Example(({"role": "user", "content": prompt}, {"role": "assistant", "content": response}))


def test_lengths_add_up_and_truncation_tells_what_it_costs(tokenizer: Tokenizer) -> None:
    examples = [example("Q", "x" * number) for number in range(1, 101)]
    prompt, response = token_lengths(examples, tokenizer)
    assert response[41] - response[40] == 1
    told = describe_tokens(examples, tokenizer)
    assert told["whole"]["max"] == max(prompt + response)
    assert (
        told["whole"]["total"]
        == told["prompt"]["total"] + told["response"]["total"]
        == sum(prompt) + sum(response)
    )
    assert told["response"]["p50"] == sorted(response)[50]
    cost = {entry["max_length"]: entry for entry in told["truncation"]}
    assert set(cost) == {32, 64}
    whole = prompt + response
    assert cost[64]["examples"] == (whole > 64).sum()
    assert cost[64]["tokens"] == np.clip(whole - 64, 0, None).sum()


def test_no_examples_have_no_lengths(tokenizer: Tokenizer) -> None:
    assert describe_tokens([], tokenizer) == {"prompt": {}, "response": {}, "whole": {}, "truncation": []}


def test_prompts_with_different_responses_are_counted_once() -> None:
    assert (
        prompts_with_several_responses(
            [example("a", "1"), example("a", "2"), example("a", "3"), example("b", "1")], CHAT
        )
        == 1
    )
