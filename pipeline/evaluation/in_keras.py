"""Answers on the training side: Keras, with base and adapter separate as in training, or a merged preset."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.console import progress_bar
from pipeline.data.batches import batches
from pipeline.data.examples import Example
from pipeline.data.tokenize import encode
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.as_stored import Disturbance
from pipeline.families.chat import trim_answer
from pipeline.gemma.causal_lm import last_logits_only, load_causal_lm
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.tuning.load import load_adapter
from pipeline.tuning.loss import response_model, responses_of

if TYPE_CHECKING:
    import keras_hub

BATCH = 128
"""Questions per batch, at most."""

LAST_PLACE = float(np.finfo(np.float32).eps)
"""Size of the last place of a float32, as a share of its value."""

LENGTH_STEP = 32
"""Lengths of prompts are rounded up to a multiple of this, so that few shapes are compiled."""


def answer_all(
    preset: Path, examples: Sequence[Example], *, max_new_tokens: int, adapter: Path | None = None
) -> list[Answer]:
    """Greedy answers and the log-probability of the expected ones, in float32.

    Choose the Keras backend first (`use_backend`).

    Args:
        preset: the base, or a merged preset.
        examples: questions with the expected answers.
        max_new_tokens: where a reply is truncated.
        adapter: an adapter file of that base, applied without merging as in training; None means the preset
            itself.

    Raises:
        InputError: the preset or the adapter is unusable, or the adapter belongs to another base.
    """
    model = load_causal_lm(preset)
    if adapter is not None:
        trained = load_adapter(adapter)
        trained.method.apply(trained, model.backbone)
    tokenizer = Tokenizer.of_preset(preset)
    logprobs = _log_probabilities(model, examples, tokenizer)
    replies = _greedy_replies(model, examples, tokenizer, max_new_tokens)
    return [
        Answer(
            question=example.question,
            expected=example.response,
            text=trim_answer(tokenizer.decode(ids)),
            stopped=stopped,
            logprob=logprob,
            tokens=len(tokenizer.response_ids(example.response)),
            tags=example.tags,
        )
        for example, (ids, stopped), logprob in zip(examples, replies, logprobs, strict=True)
    ]


def stored_logprobs(
    preset: Path, examples: Sequence[Example], change: Callable[["keras_hub.models.CausalLM"], Disturbance]
) -> tuple[list[float], list[float]]:
    """Log-probabilities of the expected answers by a model that computes as a converted file does.

    Choose the Keras backend first (`use_backend`).

    Args:
        preset: of the model's shape; its weights are replaced.
        examples: questions with the expected answers.
        change: changes the model, in place, to the file's computation.

    Returns:
        As stored, and with every input of a product changed in the last place of float32.
    """
    model, tokenizer = load_causal_lm(preset), Tokenizer.of_preset(preset)
    disturbance = change(model)
    stored = _log_probabilities(model, examples, tokenizer)
    disturbance.share = LAST_PLACE
    return stored, _log_probabilities(model, examples, tokenizer)


def _log_probabilities(
    model: "keras_hub.models.CausalLM", examples: Sequence[Example], tokenizer: Tokenizer
) -> list[float]:
    """For each example, the sum over its response's tokens of log p(token | everything before), in nats."""
    import keras

    examples = [example.last_turn_only for example in examples]
    encoded = encode(examples, tokenizer)
    scorer = response_model(model.backbone)
    scorer.compile(jit_compile=keras.config.backend() != "torch")
    sums, size = np.zeros(len(examples)), min(BATCH, len(examples))
    with progress_bar() as bar:
        task = bar.add_task("scoring in Keras", total=len(examples), note="")
        for rows in _chunks([len(item) for item in encoded.examples], size):
            # One batch with its rows in this order: they are already sorted by length.
            chunk = encode([examples[row] for row in rows], tokenizer)
            (batch,) = batches(chunk, size)
            responses = responses_of(batch)
            losses = np.asarray(scorer.predict_on_batch(responses.inputs)["loss"], np.float64)
            by_row = np.bincount(responses.rows, losses * (responses.weights > 0), minlength=size)
            sums[rows] = -by_row[: len(rows)]
            bar.advance(task, len(rows))
    return sums.tolist()


def _greedy_replies(
    model: "keras_hub.models.CausalLM", examples: Sequence[Example], tokenizer: Tokenizer, max_new_tokens: int
) -> list[tuple[list[int], bool]]:
    """For each example, the reply's token IDs without the stop token, and whether it ended at one."""
    from keras import ops

    prompts = [tokenizer.prompt_ids(example.context) for example in examples]
    model.compile(sampler="greedy")
    # `generate`, which wraps this function, collects every output, including an image that a text model
    # lacks; with torch that fails.
    generate = model.make_generate_function()
    size = min(BATCH, len(prompts))
    replies: dict[int, tuple[list[int], bool]] = {}
    with last_logits_only(model.backbone), progress_bar() as bar:
        task = bar.add_task("answering in Keras", total=len(prompts), note="")
        for rows in _chunks([len(prompt) for prompt in prompts], size):
            # Always a full batch, so that few shapes are compiled; extra rows repeat the first question.
            filled = [prompts[row] for row in (rows + rows[:1] * size)[:size]]
            length = _round_up(max(map(len, filled)) + max_new_tokens, LENGTH_STEP)
            token_ids = np.full((size, length), tokenizer.pad_id, np.int32)
            for row, prompt in enumerate(filled):
                token_ids[row, : len(prompt)] = prompt
            mask = np.arange(length) < np.array([[len(prompt)] for prompt in filled])
            inputs = {"token_ids": token_ids, "padding_mask": mask}
            output = generate(inputs, stop_token_ids=tokenizer.stop_ids)
            for row, ids in zip(rows, ops.convert_to_numpy(output["token_ids"]), strict=False):
                new = ids[len(prompts[row]) :][:max_new_tokens].tolist()
                ends = [index for index, token in enumerate(new) if token in tokenizer.stop_ids]
                replies[row] = (new[: ends[0]] if ends else new, bool(ends))
            bar.advance(task, len(rows))
    return [replies[row] for row in range(len(examples))]


def _chunks(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices sorted by length, `size` at a time."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _round_up(length: int, step: int) -> int:
    return -(-length // step) * step
