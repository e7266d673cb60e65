"""Questions and replies in turn, until the questions end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from pipeline.commands.chat.questions import Questions
from pipeline.commands.chat.slash_commands import SlashCommands, welcome
from pipeline.console import console
from pipeline.errors import OutputError, PocketGemmaError
from pipeline.litert.runtime.conversation import Conversation

NEW = "The context is full. Started a new conversation."
CUT = "The context is full: the reply ends here."


def converse(conversation: Conversation, questions: Questions) -> int:
    """Answer every question.

    Ctrl-C at a terminal stops the reply and nothing else; elsewhere it ends the command.

    Returns:
        The exit code: 0, or that of the last error in questions that nobody can ask again.

    Raises:
        KeyboardInterrupt: Ctrl-C, and nobody at a terminal.
        OutputError: replies cannot be printed.
    """
    code = 0
    commands = SlashCommands(conversation, questions)
    conversation.restarted = lambda: questions.note(NEW)
    if questions.interactive:
        questions.note(welcome(conversation))
    with interrupts(conversation.stop) if questions.interactive else nullcontext():
        while True:
            try:
                text = questions.read()
                if text is None:
                    return code
                if not commands.run(text):
                    print_reply(conversation, text)
                    _mind_the_context(conversation, questions)
            except OutputError:
                raise
            except PocketGemmaError as error:
                questions.refuse(error)
                code = 0 if questions.interactive else error.exit_code
            if commands.exited:
                return code


def print_reply(conversation: Conversation, text: str) -> None:
    """Print the reply to a question piece by piece, and a line feed.

    Raises:
        PocketGemmaError: see `Conversation.ask`.
    """
    begun = False
    try:
        for piece in conversation.ask(text):
            begun = True
            console.out(piece, end="", highlight=False)
    except OutputError:
        raise
    except PocketGemmaError:
        if begun:
            console.out("")
        raise
    console.out("")


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `stop` instead of raising KeyboardInterrupt, which could strike anywhere."""
    previous = signal.signal(signal.SIGINT, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _mind_the_context(conversation: Conversation, questions: Questions) -> None:
    """Say that the last reply was cut, and forget a conversation that cannot go on."""
    if not conversation.is_full:
        return
    if conversation.remembers:
        conversation.begin()
        questions.note(f"{CUT} Started a new conversation.")
    else:
        questions.note(CUT)
