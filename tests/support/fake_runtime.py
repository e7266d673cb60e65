"""A runtime that repeats each message, word by word, and counts words as tokens."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from pipeline.families.chat import ChatFormat, Message
from pipeline.families.turns import CHAT
from pipeline.litert.runtime.chat import ContextFullError

CONTEXT = 12
"""Words that a conversation can have, replies included."""


class FakeChat:
    """As `Chat`: after a stop it is dead, and a full context is an error."""

    def __init__(self, runtime: "FakeRuntime", history: Sequence[Message], options: dict[str, Any]) -> None:
        self.history = list(history)
        self.options = options
        self.tokens = sum(len(message["content"].split()) for message in history)
        self.ended = self.truncated = self.closed = False
        self.asked: list[str] = []
        self._runtime = runtime
        self._cancelled = False

    def __enter__(self) -> "FakeChat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(self, text: str) -> Generator[str, None, None]:
        assert not self.ended, "the runtime would say nothing"
        self.asked.append(text)
        self._cancelled, self.ended = False, True
        if self._runtime.failure:
            failure, self._runtime.failure = self._runtime.failure, None
            raise failure
        words = text.split()
        if self.tokens + len(words) >= CONTEXT:
            raise ContextFullError("too long")
        self.tokens += len(words)
        adapter = self.options.get("adapter")
        for word in [f"{adapter.stem if adapter else 'base'}:", *words]:
            if self._cancelled or self.tokens >= CONTEXT:
                break
            self.tokens += 1
            yield f"{word} "
        limit = self.options.get("max_new_tokens")
        self.truncated = limit is not None and len(words) + 1 >= limit
        self.ended = self._cancelled

    def render(self, text: str) -> str:
        history = " ".join(message["content"] for message in self.history)
        turn = CHAT.start_of_turn
        return {"inside": f"{turn}{history}", "before": f"{history}{turn}"}.get(
            self._runtime.system, turn
        ) + text

    def cancel(self) -> None:
        self._cancelled = True

    def close(self) -> None:
        self.closed = True


class FakeRuntime:
    """As `Runtime`. It remembers the chats that were opened for questions.

    Attributes:
        failure: raised instead of the next reply.
        system: where the template puts a system turn: inside a turn, before all of them, or nowhere.
    """

    context_length: int | None = CONTEXT
    chat_format: ChatFormat = CHAT

    def __init__(self, model: Path = Path("m.litertlm"), *, system: str = "inside") -> None:
        self.failure: Exception | None = None
        self.system = system
        self.opened: list[FakeChat] = []

    def __enter__(self) -> "FakeRuntime":
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def chats(self) -> list[FakeChat]:
        return [chat for chat in self.opened if chat.asked]

    def chat(self, history: Sequence[Message] = (), **options: Any) -> FakeChat:
        self.opened.append(FakeChat(self, history, options))
        return self.opened[-1]
