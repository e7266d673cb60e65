"""Answers on the phone's side: the converted model in LiteRT-LM."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.console import progress_bar
from pipeline.data.examples import Example
from pipeline.evaluation.answers import Answer
from pipeline.litert.runtime.engine import Runtime


def answer_all(
    runtime: Runtime, examples: Sequence[Example], *, max_new_tokens: int, adapter: Path | None = None
) -> list[Answer]:
    """Greedy answers and the log-probability of the expected ones.

    Args:
        runtime: an open model.
        examples: questions with the expected answers.
        max_new_tokens: where a reply is truncated; the stop token counts.
        adapter: an adapter file for a model that takes one; None means the model itself.

    Raises:
        InputError: the adapter is unusable or belongs to another base.
    """
    answers = []
    with progress_bar() as bar:
        task = bar.add_task("answering in the runtime", total=len(examples), note="")
        for example in examples:
            reply = runtime.answer(example.messages[:-1], max_new_tokens=max_new_tokens, adapter=adapter)
            logprobs = runtime.logprobs(
                example.prompt(runtime.chat_format),
                runtime.chat_format.render_answer(example.response),
                adapter=adapter,
            )
            answers.append(
                Answer(
                    question=example.question,
                    expected=example.response,
                    text=reply.text,
                    stopped=reply.stopped,
                    logprob=sum(logprobs),
                    tokens=len(logprobs),
                    tags=example.tags,
                )
            )
            bar.advance(task)
    return answers
