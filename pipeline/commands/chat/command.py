"""The command: one question, or a conversation."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pipeline.commands.chat.questions import questions_of
from pipeline.commands.chat.session import converse, print_reply
from pipeline.data.encoding import not_utf8
from pipeline.errors import InputError
from pipeline.litert.runtime.conversation import NONE, Conversation
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.probe import make_sure_it_opens
from pipeline.litert.runtime.sampling import MAX_SEED, chosen_sampling
from pipeline.litert.runtime_adapters import check_adapter_file

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as in a shell: 128 and the number of the signal."""


@dataclass(frozen=True)
class Options:
    """How the model replies.

    Attributes:
        system: the system prompt; None: none.
        temperature: of the sampler, 0 for the likeliest token always; None: what the model file specifies.
        seed: of the sampler; None: a random one.
        max_tokens: longest reply, in tokens; None: up to the end of the context.
        remembers: False for a model that knows single questions only.
    """

    system: str | None = None
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    remembers: bool = True


def chat_with(
    model: Path, prompt: str | None = None, adapters: Sequence[Path] = (), options: Options | None = None
) -> int:
    """Ask one question, or chat until you exit. Replies appear while they are generated.

    Args:
        model: a .litertlm or .task file.
        prompt: the question; without it, questions are read from standard input.
        adapters: adapter files for a base that takes them, named without their suffix. The first is active at
            the start.
        options: how the model replies.

    Returns:
        The exit code: 0; that of the last error if a question from a file or a pipe could not be answered; or
        INTERRUPTED.

    Raises:
        InputError: the model, an adapter or an option is unusable, two adapters have the same name, or the
            question is empty, too long or contains a turn marker.
    """
    options = options or Options()
    system = "" if options.system is None else _text("--system", options.system)
    question = None if prompt is None else _text("--prompt", prompt)
    if options.temperature is not None and not (isfinite(options.temperature) and options.temperature >= 0):
        raise InputError(f"--temperature {options.temperature}: expected a number, 0 or more")
    if options.seed is not None and not 0 <= options.seed <= MAX_SEED:
        raise InputError(f"--seed {options.seed}: expected a whole number from 0 to {MAX_SEED}")
    make_sure_it_opens(model)
    named = named_adapters(model, adapters)
    questions = questions_of(sys.stdin) if question is None else None
    try:
        with (
            Runtime(model) as runtime,
            Conversation(
                runtime,
                named,
                system=system,
                remembers=options.remembers,
                sampling=chosen_sampling(model, options.temperature, options.seed),
                max_new_tokens=options.max_tokens,
            ) as conversation,
        ):
            if questions is not None:
                return converse(conversation, questions)
            assert question is not None
            print_reply(conversation, question)
            return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def named_adapters(model: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Adapter files by name, each checked against the model.

    Raises:
        InputError: one is unusable or for another base, or two have the same name.
    """
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem == NONE:
            raise InputError(f"{path}: the name {NONE} is reserved for the base; rename the file")
        if path.stem in named:
            raise InputError(
                f"{path}: has the same name as {named[path.stem]}, without the suffix; rename the file"
            )
        check_adapter_file(path, model)
        named[path.stem] = path
    return named


def _text(option: str, value: str) -> str:
    """The text of an option.

    Raises:
        InputError: it is empty, or its bytes are not UTF-8.
    """
    content = os.fsencode(value)
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{option}: {not_utf8(content, error)}; type it in UTF-8") from None
    if not text:
        raise InputError(f"{option}: is empty; enter some text")
    return text
