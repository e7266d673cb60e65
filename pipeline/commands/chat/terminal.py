"""Questions typed at a terminal, with line editing, a history and pasted blocks of several lines."""

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from pipeline.console import console
from pipeline.errors import PocketGemmaError

PROMPT = "you> "
LEAVE = "Press Ctrl-D or type /exit to leave."


class TerminalQuestions:
    """Typed questions. Ctrl-C clears the line; Ctrl-D ends.

    The history is forgotten at the end: questions may be private.
    """

    interactive = True

    def __init__(self) -> None:
        self._session: PromptSession[str] = PromptSession(key_bindings=_keys(), enable_suspend=True)

    def read(self) -> str | None:
        try:
            return self._session.prompt([("bold", PROMPT)]).strip()
        except EOFError:
            return None
        except KeyboardInterrupt:
            self.note(LEAVE)
            return ""

    def note(self, text: str) -> None:
        console.print(text, style="dim")

    def refuse(self, error: PocketGemmaError) -> None:
        self.note(str(error))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        """Alt-Enter begins a new line; Enter sends."""
        event.current_buffer.insert_text("\n")

    return keys
