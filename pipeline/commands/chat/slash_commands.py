"""Commands inside a conversation: lines that begin with a slash and a word."""

import re

from pipeline.commands.chat.questions import Questions
from pipeline.errors import InputError
from pipeline.litert.runtime.conversation import NONE, Conversation

COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)
"""A path such as /etc/hosts begins a question."""

HELP = """\
/new          start a new conversation
/system TEXT  set the system prompt; /system none removes it, /system shows it
/adapter NAME switch to an adapter; /adapter none switches to the base, /adapter lists them
/help         show this list
/exit         leave; Ctrl-D does too
Ctrl-C stops a reply. Alt-Enter begins a new line; a pasted block of lines counts as one question."""

READS_AGAIN = " The model will reread the conversation first."


def welcome(conversation: Conversation) -> str:
    """What to print at the start of a session at a terminal."""
    single = (
        ""
        if conversation.remembers
        else " This model answers single questions: each starts a new conversation."
    )
    adapters = f" Adapter: {conversation.active}." if conversation.adapters else ""
    return f"Type a question. /help lists the commands, /exit leaves.{single}{adapters}"


class SlashCommands:
    """The commands, for one conversation.

    Attributes:
        exited: /exit was run.
    """

    def __init__(self, conversation: Conversation, questions: Questions) -> None:
        self.exited = False
        self._conversation = conversation
        self._note = questions.note
        self._commands = {
            "help": self._help,
            "exit": self._exit,
            "new": self._new,
            "system": self._system,
            "adapter": self._adapter,
        }

    def run(self, text: str) -> bool:
        """Run a line if it is a command or empty; False if it is a question.

        Raises:
            InputError: there is no such command, or it does not accept this argument.
        """
        if not text:
            return True
        found = COMMAND.fullmatch(text)
        if not found:
            return False
        name, argument = found[1], (found[2] or "").strip()
        if name not in self._commands:
            raise InputError(f"/{name}: no such command; /help lists the commands")
        self._commands[name](argument)
        return True

    def _help(self, _: str) -> None:
        self._note(HELP)

    def _exit(self, _: str) -> None:
        self.exited = True

    def _new(self, _: str) -> None:
        self._conversation.begin()
        self._note("Started a new conversation.")

    def _system(self, text: str) -> None:
        if not text:
            self._note(f"System prompt: {self._conversation.system or NONE}")
            return
        self._conversation.system = "" if text == NONE else text
        done = "The system prompt is set." if self._conversation.system else "There is no system prompt."
        self._note(done + self._again())

    def _adapter(self, name: str) -> None:
        conversation = self._conversation
        if name:
            conversation.use(name)
            self._note(f"Using {conversation.active}.{self._again()}")
        else:
            for known in [*conversation.adapters, NONE]:
                self._note(f"{'*' if known == conversation.active else ' '} {known}")

    def _again(self) -> str:
        return READS_AGAIN if self._conversation.history else ""
