"""Whether a .task is the same model as the .litertlm beside it: to the byte, in its tokens, and in its answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.examples import Example
from pipeline.evaluation import in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.formats.task import different_entries
from pipeline.litert.runtime.engine import Runtime

MAX_LOGPROB_DIFFERENCE = 1e-5
"""Per token, in nats: one runtime computes with the same bytes, so only the order of sums could differ."""


def task_differences(
    model: Path,
    task: Path,
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    questions: int,
    max_new_tokens: int,
) -> list[str]:
    """What the .task holds or says otherwise, each in a few words.

    Args:
        model: the .litertlm.
        task: the .task.
        examples: questions; conversations with a system message are left out, for which a .task has no place.
        answers: what the runtime answered to them from the .litertlm, as `in_runtime.answer_all` gives it.
        questions: how many are asked at most.
        max_new_tokens: where a reply is cut, as for `answers`.

    Raises:
        InputError: one of the files is unusable.
    """
    said = [
        f"the {what} in {task.name} is another than in {model.name}"
        for what in different_entries(task, model)
    ]
    pairs = [
        (_trimmed(example), answer)
        for example, answer in zip(examples, answers, strict=True)
        if example.messages[0]["role"] != "system"
    ][:questions]
    with Runtime(model) as one, Runtime(task) as other:
        if (other.start_id, other.stop_ids) != (one.start_id, one.stop_ids):
            said.append(
                f"{task.name} starts at {other.start_id} and stops at {other.stop_ids}, "
                f"{model.name} at {one.start_id} and {one.stop_ids}"
            )
        asked = [example.messages[:-1] for example, _ in pairs]
        tokens = sum(other.token_ids(messages) != one.token_ids(messages) for messages in asked)
    if tokens:
        said.append(f"{task.name} makes other tokens of {tokens} of {len(pairs)} conversations")
    replies = in_runtime.answer_all(task, [example for example, _ in pairs], max_new_tokens=max_new_tokens)
    compared = [(reply, answer) for reply, (_, answer) in zip(replies, pairs, strict=True)]
    texts = sum(reply.text != answer.text for reply, answer in compared)
    if texts:
        said.append(f"{task.name} replies otherwise to {texts} of {len(pairs)} questions")
    beyond = [
        abs(reply.logprob - answer.logprob) / max(reply.tokens, 1)
        for reply, answer in compared
        if not abs(reply.logprob - answer.logprob) <= MAX_LOGPROB_DIFFERENCE * max(reply.tokens, 1)
    ]
    if beyond:
        said.append(
            f"log-probabilities in {task.name} differ by up to {max(beyond):.2g} nats a token from {model.name}'s"
        )
    return said


def _trimmed(example: Example) -> Example:
    """Without white space around the turns, which the template of a .litertlm takes away and a .task keeps."""
    return replace(
        example, messages=tuple({**turn, "content": turn["content"].strip()} for turn in example.messages)
    )
