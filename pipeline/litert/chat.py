"""Talk to a converted model on the terminal, as a person would on the phone."""

from pathlib import Path

from rich.markup import escape

from pipeline.config import ConvertSection
from pipeline.console import console
from pipeline.errors import InputError
from pipeline.litert.runtime import Chat, Runtime

HELP = "Ask something. /new begins a new conversation, /quit or Ctrl-D ends."


def chat_with(model: Path, settings: ConvertSection, prompt: str | None = None) -> None:
    """Ask one question, or converse until the person ends it; replies appear as they are made.

    Args:
        model: a .litertlm or .task file.
        settings: how it was converted; its sampler is in the bundle, its context length says when a conversation is full.
        prompt: the one question; without it questions are read from the terminal.

    Raises:
        InputError: the model is unusable, or the one question holds a marker.
    """
    with Runtime(model) as runtime:
        if prompt is not None:
            with runtime.chat() as chat:
                _reply(chat, prompt)
            return
        console.print(f"[dim]{HELP}[/]")
        while _converse(runtime, settings.context_length):
            console.print("[dim]a new conversation[/]")


def _converse(runtime: Runtime, context_length: int) -> bool:
    """One conversation; True when the person wants another."""
    with runtime.chat() as chat:
        while True:
            try:
                text = console.input("[bold]you>[/] ").strip()
            except (EOFError, KeyboardInterrupt):
                console.print()
                return False
            if text == "/quit":
                return False
            if text == "/new":
                return True
            try:
                if text:
                    _reply(chat, text)
            except InputError as error:
                console.print(f"[dim]{escape(str(error))}[/]")
            if chat.tokens >= context_length:
                console.print("[dim]the context is full[/]")
                return True


def _reply(chat: Chat, text: str) -> None:
    """Print a reply piece by piece; Ctrl-C cuts it short."""
    try:
        for piece in chat.stream(text):
            console.print(piece, end="", markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        chat.cancel()
    console.print()
