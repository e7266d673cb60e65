"""Checks of a converted model in the open runtime: token IDs, the next turn of a conversation, and a run-time
adapter."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.examples import Example
from pipeline.evaluation import in_runtime
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.comparison import TokenIds
from pipeline.evaluation.conversations import conversations
from pipeline.families.chat import Message
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime.chat import ContextFullError
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime_adapters import check_adapter_file, write_adapter
from pipeline.tuning.adapter import Adapter


def token_ids(runtime: Runtime, tokenizer: Tokenizer, examples: Sequence[Example]) -> list[TokenIds]:
    """The token IDs of test conversations by the training code and by the runtime.

    Args:
        runtime: the open model.
        tokenizer: the one used in training.
        examples: some of them are used as conversations, besides the built-in ones. What is longer than the
            context of the model is left out.
    """
    context = runtime.context_length or math.inf
    wanted = [(name, messages, tokenizer.prompt_ids(messages)) for name, messages in conversations(examples)]
    return [
        TokenIds(conversation=name, training=training, runtime=runtime.token_ids(messages))
        for name, messages, training in wanted
        if len(training) < context
    ]


def turn_differences(
    runtime: Runtime,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    adapter: Path | None = None,
) -> list[str]:
    """Compare what the runtime adds to a conversation between its own reply and the next question, by the
    number of tokens.

    Args:
        runtime: the open model.
        tokenizer: the one used in training.
        examples: the first question to which the reply stops by itself is asked, then the last question. If
            the context has no room for both, the next one is taken.
        max_new_tokens: where a reply is truncated.
        adapter: an adapter file for a model that takes one; None means the model itself.

    Returns:
        The difference, or nothing.
    """
    between = len(tokenizer.encode(tokenizer.chat.render_continuation(examples[-1].question)))
    for example in examples:
        first: tuple[Message, ...] = ({"role": "user", "content": example.question},)
        if not runtime.answer(first, max_new_tokens=max_new_tokens, adapter=adapter).stopped:
            continue
        with runtime.chat(greedy=True, adapter=adapter) as chat:
            list(chat.stream(example.question))
            before = chat.tokens
            try:
                list(chat.stream(examples[-1].question, max_new_tokens=1))
            except ContextFullError:
                continue
            found = chat.tokens - before - 1
        return (
            []
            if found == between
            else [f"a second question takes {found} tokens in the runtime and {between} in training"]
        )
    return []


def adapter_differences(
    runtime: Runtime,
    adapter_file: Path,
    trained: Adapter,
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    questions: int,
) -> list[str]:
    """Check that a run-time adapter holds the trained tensors, and that the runtime uses it.

    If the runtime loads an adapter and does not use it, it raises no error: the answers are those of the
    base.

    Args:
        runtime: the open base.
        adapter_file: the adapter as a file for the runtime.
        trained: the adapter as trained.
        examples: the questions.
        answers: the answers to them with the adapter, as `in_runtime.answer_all` returns them.
        questions: how many questions, at most, the base is asked without the adapter.

    Returns:
        The differences, each in a few words.

    Raises:
        InputError: the adapter file is damaged or belongs to another base.
    """
    differences = []
    found = check_adapter_file(adapter_file, runtime.model)
    with tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder:
        expected = Path(folder) / adapter_file.name
        write_adapter(trained, expected, rank=found.rank, name=found.name)
        if expected.read_bytes() != adapter_file.read_bytes():
            differences.append(f"{adapter_file.name} does not contain the trained tensors")
    few = min(len(examples), questions)
    base = in_runtime.answer_all(runtime, examples[:few], max_new_tokens=1)
    if all(without.logprob == tuned.logprob for without, tuned in zip(base, answers[:few], strict=True)):
        differences.append(f"{adapter_file.name} has no effect in the runtime")
    return differences
