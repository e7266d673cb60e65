"""A conversation that outlives the runtime's: it continues after a stopped reply, a failure, another
adapter or another system prompt. The runtime then reads the earlier messages again."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.chat import Message
from pipeline.litert.runtime.chat import Chat, ContextFullError, check_text
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.reply_text import reply_text
from pipeline.litert.runtime.sampling import Sampling

NONE = "none"
"""The name that stands for the base without an adapter."""


class Conversation:
    """A conversation with an open model.

    Args:
        runtime: an open model.
        adapters: files by name. The first is active at the start.
        system: the system prompt.
        remembers: False for a model that knows single questions only: each starts a new conversation.
        sampling: how tokens are drawn; None: as the model file specifies.
        max_new_tokens: longest reply, in tokens.

    Attributes:
        restarted: called when the earlier messages were dropped because they do not fit with the next one,
            before its reply begins.

    Raises:
        InputError: the system prompt contains a marker of the chat format.
    """

    def __init__(
        self,
        runtime: Runtime,
        adapters: Mapping[str, Path] | None = None,
        *,
        system: str = "",
        remembers: bool = True,
        sampling: Sampling | None = None,
        max_new_tokens: int | None = None,
    ) -> None:
        self.adapters = dict(adapters or {})
        self.active = next(iter(self.adapters), NONE)
        self.history: list[Message] = []
        self.remembers = remembers
        self._runtime = runtime
        self._sampling = sampling
        self._max_new_tokens = max_new_tokens
        self.restarted: Callable[[], None] = lambda: None
        self._chat: Chat | None = None
        self._stopped = False
        self._supports_system_turns: bool | None = None
        self._system = ""
        self.system = system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def system(self) -> str:
        """The system prompt; empty: none. A new one is valid from the next question."""
        return self._system

    @system.setter
    def system(self, text: str) -> None:
        check_text(text, self._runtime.chat_format)
        self._close()
        self._system = text.strip()

    @property
    def is_full(self) -> bool:
        """The last reply has reached the end of the context."""
        length = self._runtime.context_length
        return self._chat is not None and length is not None and self._chat.tokens >= length

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

    def stop(self) -> None:
        """Stop the reply that is being generated, if there is one. Any thread, and signal handlers too."""
        self._stopped = True
        if self._chat is not None:
            self._chat.cancel()

    def ask(self, text: str) -> Generator[str, None, None]:
        """Send a message and yield the reply piece by piece, without turn markers.

        What was said before a stop belongs to the conversation. Earlier messages that leave no room for this
        one are dropped.

        Raises:
            InputError: the text contains a marker of the chat format, or is too long by itself.
            PocketGemmaError: the runtime fails. The conversation can go on.
        """
        self._stopped = False
        try:
            yield from self._ask(text)
        except RuntimeError as error:
            raise PocketGemmaError(
                f"the runtime failed: {error}; ask again or start a new conversation"
            ) from None

    def _ask(self, text: str) -> Iterator[str]:
        try:
            yield from self._reply(text)
        except ContextFullError:
            if not self.history:
                raise self._too_long() from None
            earlier, self.history = self.history, []
            try:
                yield from self._reply_after_restart(text)
            except ContextFullError:
                self.history = earlier
                raise self._too_long() from None

    def _reply_after_restart(self, text: str) -> Iterator[str]:
        told = False
        for piece in self._reply(text):
            if not told:
                self.restarted()
                told = True
            yield piece

    def _reply(self, text: str) -> Iterator[str]:
        if self._chat is None or self._chat.ended or self._chat.truncated or not self.remembers:
            self._close()
            self._chat = self._open()
        question = text if self.history or self._takes_system_turn() else f"{self._system}\n\n{text}"
        said = ""
        # A signal may have come before there was a chat to cancel.
        if self._stopped:
            return
        with closing(self._chat.stream(question)) as reply:
            for piece in reply_text(reply, self._runtime.chat_format):
                said += piece
                yield piece
        if said and self.remembers:
            self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": said}]

    def _open(self) -> Chat:
        turns = list(self.history)
        if self._system and self._takes_system_turn():
            turns.insert(0, {"role": "system", "content": self._system})
        elif self._system and turns:
            turns[0] = {"role": "user", "content": f"{self._system}\n\n{turns[0]['content']}"}
        return self._start(turns)

    def _start(self, turns: list[Message]) -> Chat:
        return self._runtime.chat(
            turns,
            sampling=self._sampling,
            max_new_tokens=self._max_new_tokens,
            adapter=self.adapters.get(self.active),
        )

    def _takes_system_turn(self) -> bool:
        """Whether the model's template supports a system turn: some reject it, others drop it, and the plain
        prefixes of a .task put it in front of the first turn instead of into one."""
        if not self._system:
            return True
        if self._supports_system_turns is None:
            try:
                with self._start([{"role": "system", "content": self._system}]) as chat:
                    shown = chat.render("?")
                begin = shown.find(self._runtime.chat_format.start_of_turn)
                self._supports_system_turns = 0 <= begin < shown.find(self._system)
            except RuntimeError:
                self._supports_system_turns = False
        return self._supports_system_turns

    def _too_long(self) -> InputError:
        what = "the question and the system prompt are" if self._system else "the question is"
        length = self._runtime.context_length
        size = f" of {length} tokens" if length else ""
        return InputError(f"{what} too long for the model's context{size}; shorten the text")

    def _close(self) -> None:
        chat, self._chat = self._chat, None
        if chat is not None:
            chat.close()
