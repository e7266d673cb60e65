"""Whether a .task is the same model as its .litertlm: in its bytes, its tokens, and its answers."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.data.examples import Example
from pipeline.evaluation import in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.formats.task import different_entries
from pipeline.litert.runtime.engine import Runtime

MAX_LOGPROB_DIFFERENCE = 1e-5
"""Per token, in nats: the same runtime computes with the same bytes, so only the order of sums could
differ."""


def task_differences(
    runtime: Runtime,
    task_runtime: Runtime,
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    questions: int,
    max_new_tokens: int,
) -> list[str]:
    """The differences of a .task from its .litertlm, each in a few words.

    Args:
        runtime: the open .litertlm.
        task_runtime: the open .task.
        examples: questions; conversations with a system message are skipped, because a .task cannot represent
            them.
        answers: the runtime's answers to them from the .litertlm, as `in_runtime.answer_all` returns them.
        questions: how many, at most, the .task is asked.
        max_new_tokens: where a reply is truncated, as for `answers`.

    Raises:
        InputError: one of the files is unusable.
    """
    model, task = runtime.model, task_runtime.model
    differences = [
        f"the {what} in {task.name} differs from that in {model.name}"
        for what in different_entries(task, model)
    ]
    pairs = [
        (_trimmed(example), answer)
        for example, answer in zip(examples, answers, strict=True)
        if example.messages[0]["role"] != "system"
    ][:questions]
    if (task_runtime.start_id, task_runtime.stop_ids) != (runtime.start_id, runtime.stop_ids):
        differences.append(
            f"{task.name} starts with token {task_runtime.start_id} and stops at {task_runtime.stop_ids}, "
            f"{model.name} with {runtime.start_id} and at {runtime.stop_ids}"
        )
    asked = [example.messages[:-1] for example, _ in pairs]
    tokens = sum(task_runtime.token_ids(messages) != runtime.token_ids(messages) for messages in asked)
    if tokens:
        differences.append(f"{task.name} gives different token IDs in {tokens} of {len(pairs)} conversations")
    replies = in_runtime.answer_all(
        task_runtime, [example for example, _ in pairs], max_new_tokens=max_new_tokens
    )
    compared = [(reply, answer) for reply, (_, answer) in zip(replies, pairs, strict=True)]
    texts = sum(reply.text != answer.text for reply, answer in compared)
    if texts:
        differences.append(f"{task.name} replies differently to {texts} of {len(pairs)} questions")
    too_large = [
        abs(reply.logprob - answer.logprob) / max(reply.tokens, 1)
        for reply, answer in compared
        if not abs(reply.logprob - answer.logprob) <= MAX_LOGPROB_DIFFERENCE * max(reply.tokens, 1)
    ]
    if too_large:
        differences.append(
            f"log-probabilities in {task.name} differ from those in {model.name} by up to "
            f"{max(too_large):.2g} nats per token"
        )
    return differences


def _trimmed(example: Example) -> Example:
    """Without whitespace around the turns, which the template of a .litertlm removes and a .task keeps."""
    return replace(
        example, messages=tuple({**turn, "content": turn["content"].strip()} for turn in example.messages)
    )
