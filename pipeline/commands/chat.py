"""Talk to a converted model on the terminal, as a person would on the phone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.families.chat import Message
from pipeline.formats.litertlm import read_container
from pipeline.litert.runtime.engine import Chat, Runtime
from pipeline.litert.runtime_adapters import check_adapter_file

HELP = "Ask something. /new begins a new conversation, /quit or Ctrl-D ends."
ADAPTER_HELP = (
    "/adapter lists the adapters, /adapter NAME goes on with another one, /adapter none with the base."
)
NONE = "none"


def chat_with(model: Path, prompt: str | None = None, adapters: Sequence[Path] = ()) -> None:
    """Ask one question, or converse until the person ends it; replies appear as they are made.

    Args:
        model: a .litertlm or .task file; the sampler is in it, and how long a conversation can be.
        prompt: the one question; without it questions are read from the terminal.
        adapters: adapter files for a base that takes them, called by their names without ending; the first is used at first.

    Raises:
        InputError: the model or an adapter is unusable, two adapters have one name, or the one question holds a marker.
    """
    named = named_adapters(model, adapters)
    limit = context_length(model)
    with Runtime(model) as runtime:
        conversation = Conversation(runtime, named)
        if prompt is not None:
            with conversation:
                conversation.reply(prompt)
            return
        console.print(f"[dim]{HELP}{f' {ADAPTER_HELP}' if named else ''}[/]")
        with conversation:
            while _turn(conversation):
                if limit is not None and conversation.tokens >= limit:
                    console.print("[dim]the context is full: a new conversation[/]")
                    conversation.begin()


def named_adapters(model: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Adapter files by name, each checked against the model.

    Raises:
        InputError: one is unusable or of another base, or two have one name.
    """
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem in named or path.stem == NONE:
            raise InputError(
                f"{path}: {'stands for the base itself' if path.stem == NONE else f'has the name of {named[path.stem]}'}; "
                "rename the file: adapters are called by their names without ending"
            )
        check_adapter_file(path, model)
        named[path.stem] = path
    return named


def context_length(model: Path) -> int | None:
    """Tokens that a conversation can have; None when the file does not say."""
    if model.suffix == ".task":
        return None
    return int(read_container(model).metadata().max_num_tokens) or None


class Conversation:
    """A conversation that can go on with another adapter: all that was said is then read again under the new one.

    Args:
        runtime: an open model.
        adapters: files by name; the first is used at first.
    """

    def __init__(self, runtime: Runtime, adapters: Mapping[str, Path]) -> None:
        self.adapters = dict(adapters)
        self.active = next(iter(adapters), NONE)
        self.history: list[Message] = []
        self._runtime = runtime
        self._chat: Chat | None = None

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def tokens(self) -> int:
        """Tokens so far."""
        return self._chat.tokens if self._chat else 0

    def begin(self) -> None:
        """Forget all that was said."""
        self._close()
        self.history = []

    def use(self, name: str) -> None:
        """Go on with another adapter, or with `none`.

        Raises:
            InputError: there is none of this name.
        """
        if name not in (NONE, *self.adapters):
            known = ", ".join([*self.adapters, NONE])
            raise InputError(
                f"no adapter {name} here; there are: {known} (start with --adapter FILE for more)"
            )
        if name != self.active:
            self._close()
            self.active = name

    def reply(self, text: str, *, greedy: bool = False) -> str:
        """Say something and print the reply piece by piece; Ctrl-C cuts it short.

        Raises:
            InputError: the text holds a marker.
        """
        if self._chat is None:
            self._chat = self._runtime.chat(
                self.history, greedy=greedy, adapter=self.adapters.get(self.active)
            )
        pieces = []
        try:
            for piece in self._chat.stream(text):
                pieces.append(piece)
                console.print(piece, end="", markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            self._chat.cancel()
        console.print()
        said = "".join(pieces)
        self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": said}]
        return said

    def _close(self) -> None:
        if self._chat:
            self._chat.close()
            self._chat = None


def _turn(conversation: Conversation) -> bool:
    """Read a line and do what it says; False when the person ends."""
    try:
        text = console.input("[bold]you>[/] ").strip()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return False
    command, _, argument = text.partition(" ")
    try:
        if text == "/quit":
            return False
        if text == "/new":
            conversation.begin()
            console.print("[dim]a new conversation[/]")
        elif command == "/adapter":
            _adapter(conversation, argument.strip())
        elif text:
            conversation.reply(text)
    except InputError as error:
        console.print(f"[dim]{escape(str(error))}[/]")
    return True


def _adapter(conversation: Conversation, name: str) -> None:
    """List the adapters, or go on with another one."""
    if not name:
        for known in [*conversation.adapters, NONE]:
            console.print(f"[dim]{'*' if known == conversation.active else ' '} {escape(known)}[/]")
        return
    conversation.use(name)
    again = ", which reads what was said again" if conversation.history else ""
    console.print(f"[dim]now {escape(conversation.active)}{again}[/]")
