"""Answers on the phone's side: the converted model in LiteRT-LM."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.console import progress_bar
from pipeline.data.examples import Example
from pipeline.evaluation.answers import Answer
from pipeline.litert.runtime.engine import Runtime


def answer_all(
    model: Path, examples: Sequence[Example], *, max_new_tokens: int, adapter: Path | None = None
) -> list[Answer]:
    """Greedy answers and the log-probability of the expected ones.

    Args:
        model: a .litertlm or .task file.
        examples: questions with the answers expected.
        max_new_tokens: where a reply is cut; the stop token counts.
        adapter: an adapter file for a model that takes one; None is the model itself.

    Raises:
        InputError: a file is unusable, or the adapter belongs to another base.
    """
    answers = []
    with Runtime(model) as runtime, progress_bar() as bar:
        task = bar.add_task("asking the runtime", total=len(examples), note="")
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
