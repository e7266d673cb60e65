"""Promise: Keras's answers and log-probabilities equal those of an independent implementation of the same
weights."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.examples import Example
from pipeline.evaluation import in_keras
from pipeline.gemma.causal_lm import load_causal_lm, use_backend
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.tokenizer import Tokenizer

BASE = Path(__file__).parents[2] / "pipeline" / "demo" / "base"
QUESTIONS = [
    ("What is the symbol of gold?", "The symbol of gold is Au."),
    ("What is 3 plus 4?", "3 plus 4 is 7."),
    ("Could you give me the atomic number of praseodymium?", "The atomic number of praseodymium is 59."),
    ("In which period is xenon?", "Nobody knows what is asked here, and this answer is long."),
]


@pytest.mark.slow
def test_replies_and_log_probabilities_equal_those_of_transformers(tmp_path: Path) -> None:
    use_backend("torch")
    import torch
    from transformers import AutoModelForCausalLM

    examples = [
        Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))
        for question, answer in QUESTIONS
    ]
    # Of a conversation, the last turn is asked, whatever was learned of it.
    whole = tuple(message for example in examples for message in example.messages)
    examples.append(Example(whole, learned_earlier=(1, 3)))
    tokenizer = Tokenizer.of_preset(BASE)
    write_hugging_face(load_causal_lm(BASE), tokenizer, tmp_path / "hf")
    other = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32).eval()

    answers = in_keras.answer_all(BASE, examples, max_new_tokens=20)
    for example, answer in zip(examples, answers, strict=True):
        prompt, response = tokenizer.prompt_ids(example.context), tokenizer.response_ids(example.response)
        with torch.no_grad():
            output = other.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)[
                0, len(prompt) :
            ].tolist()
            logits = other(input_ids=torch.tensor([prompt + response])).logits[0]
        ends = [place for place, token in enumerate(output) if token in tokenizer.stop_ids]
        assert answer.stopped == bool(ends)
        assert answer.text == tokenizer.decode(output[: ends[0]] if ends else output).strip()
        logprobs = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
        expected = sum(logprobs[place, token].item() for place, token in enumerate(response))
        assert answer.tokens == len(response)
        np.testing.assert_allclose(answer.logprob, expected, atol=2e-3)


def test_chunks_hold_every_index_once_shortest_first() -> None:
    lengths = [5, 3, 9, 1, 7]
    chunks = list(in_keras._chunks(lengths, 2))
    assert chunks == [[3, 1], [0, 4], [2]]
