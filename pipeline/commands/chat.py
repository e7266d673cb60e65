"""Chat with a converted model in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.console import console, styled
from pipeline.errors import InputError
from pipeline.families.chat import Message
from pipeline.formats.litertlm import read_container
from pipeline.litert.runtime.engine import Chat, Runtime
from pipeline.litert.runtime.probe import make_sure_it_opens
from pipeline.litert.runtime_adapters import check_adapter_file
from pipeline.run.folder import Run

HELP = "Type a question. /new starts a new conversation, /quit or Ctrl-D exits."
ADAPTER_HELP = "/adapter lists the adapters, /adapter NAME switches to one, /adapter none to the base."
NONE = "none"


def chat_with(model: Path, prompt: str | None = None, adapters: Sequence[Path] = ()) -> None:
    """Ask one question, or chat until you exit. Replies appear while they are generated.

    Args:
        model: a .litertlm or .task file. It specifies the sampler and the length of a conversation.
        prompt: the question; without it, questions are read from the terminal.
        adapters: adapter files for a base that takes them, named without their suffix. The first is active at
            the start.

    Raises:
        InputError: the model or an adapter is unusable, two adapters have the same name, or the question
            contains a turn marker.
    """
    named = named_adapters(model, adapters)
    limit = context_length(model)
    make_sure_it_opens(model)
    with Runtime(model) as runtime:
        conversation = Conversation(runtime, named)
        if prompt is not None:
            with conversation:
                conversation.reply(prompt)
            return
        console.print(f"{HELP}{f' {ADAPTER_HELP}' if named else ''}", style="dim")
        with conversation:
            while _turn(conversation):
                if limit is not None and conversation.tokens >= limit:
                    console.print("The context is full. This is a new conversation.", style="dim")
                    conversation.begin()


def converted_model(run: Run) -> tuple[Path, list[Path]]:
    """The converted model of a run folder, and its adapter if that is a separate file.

    Raises:
        InputError: nothing has been converted there.
    """
    run.manifest("convert")
    files = run.files.convert
    return files.model, [files.adapter] if files.adapter.is_file() else []


def named_adapters(model: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Adapter files by name, each checked against the model.

    Raises:
        InputError: one is unusable or for another base, or two have the same name.
    """
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem == NONE:
            raise InputError(f"{path}: the name {NONE} stands for the base; rename the file")
        if path.stem in named:
            raise InputError(
                f"{path}: has the same name as {named[path.stem]}, without the suffix; rename the file"
            )
        check_adapter_file(path, model)
        named[path.stem] = path
    return named


def context_length(model: Path) -> int | None:
    """The tokens that a conversation can have; None if the file does not specify it."""
    if model.suffix == ".task":
        return None
    return read_container(model).llm_metadata().max_tokens


class Conversation:
    """A conversation that can continue with another adapter, which then reads the earlier messages again.

    Args:
        runtime: an open model.
        adapters: files by name. The first is active at the start.
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
        """The tokens so far."""
        return self._chat.tokens if self._chat else 0

    def begin(self) -> None:
        """Start again without the earlier messages."""
        self._close()
        self.history = []

    def use(self, name: str) -> None:
        """Continue with another adapter, or with `none`.

        Raises:
            InputError: there is no adapter of this name.
        """
        if name not in (NONE, *self.adapters):
            known = ", ".join([*self.adapters, NONE])
            raise InputError(f"{name}: no such adapter; available: {known} (add more with --adapter FILE)")
        if name != self.active:
            self._close()
            self.active = name

    def reply(self, text: str, *, greedy: bool = False) -> str:
        """Send a message and print the reply piece by piece; Ctrl-C stops it.

        Raises:
            InputError: the text contains a turn marker.
        """
        if self._chat is None:
            self._chat = self._runtime.chat(
                self.history, greedy=greedy, adapter=self.adapters.get(self.active)
            )
        pieces = []
        try:
            for piece in self._chat.stream(text):
                pieces.append(piece)
                console.print(piece, end="", soft_wrap=True)
        except KeyboardInterrupt:
            self._chat.cancel()
        console.print()
        answer = "".join(pieces)
        self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        return answer

    def _close(self) -> None:
        if self._chat:
            self._chat.close()
            self._chat = None


def _turn(conversation: Conversation) -> bool:
    """Read a line and act on it; False at the end."""
    try:
        text = console.input(styled(("you>", "bold"), " ")).strip()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return False
    command, _, argument = text.partition(" ")
    try:
        if text == "/quit":
            return False
        if text == "/new":
            conversation.begin()
            console.print("This is a new conversation.", style="dim")
        elif command == "/adapter":
            _adapter(conversation, argument.strip())
        elif text:
            conversation.reply(text)
    except InputError as error:
        console.print(f"{error}", style="dim")
    return True


def _adapter(conversation: Conversation, name: str) -> None:
    """List the adapters, or switch to one."""
    if not name:
        for known in [*conversation.adapters, NONE]:
            console.print(f"{'*' if known == conversation.active else ' '} {known}", style="dim")
        return
    conversation.use(name)
    again = " It reads the conversation again first." if conversation.history else ""
    console.print(f"Using {conversation.active}.{again}", style="dim")
