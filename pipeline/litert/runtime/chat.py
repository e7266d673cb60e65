"""One conversation in the runtime, which can be stopped at any moment without harm."""

from collections.abc import Generator
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.chat import ChatFormat

if TYPE_CHECKING:
    from pipeline.litert.runtime.engine import Runtime

CONTEXT_FULL = ("Input token ids are too long", "exceeds available state entries")
"""Part of the runtime's message (0.18) if a message does not fit into the context.

The second comes before the context length is reached: a message is read in chunks of the model's prefill
lengths, and each must fit whole.
"""


class ContextFullError(InputError):
    """A conversation with its next message does not fit into the context."""


class Chat:
    """A conversation; `Runtime.chat` starts one.

    After a reply that was stopped or failed, the runtime's conversation is dead: it would answer everything
    with nothing. Then `ended` is true; start another chat with the history.

    Attributes:
        ended: no reply can follow.
        truncated: the last reply has as many tokens as were allowed, so it may lack the marker that ends a
            turn.
    """

    def __init__(self, runtime: "Runtime", conversation: Any, max_new_tokens: int | None) -> None:
        self._runtime = runtime
        self._conversation = conversation
        self._max_new_tokens = max_new_tokens
        self._reply: Thread | None = None
        self._cancelled = False
        self.ended = False
        self.truncated = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation, and the reply that is being generated."""
        self._end_reply()
        self._conversation.close()

    @property
    def tokens(self) -> int:
        """Tokens of the conversation so far: start token, turns, markers and replies with their stop
        token."""
        count: int = self._conversation.token_count
        return count

    def stream(self, text: str, *, max_new_tokens: int | None = None) -> Generator[str, None, None]:
        """Send a user turn and yield the reply piece by piece.

        The runtime generates in a thread of its own. Whoever leaves the iterator early, by an exception or
        Ctrl-C too, stops the reply: the thread has ended when this function has.

        Args:
            text: the user's turn.
            max_new_tokens: longest reply to this turn, in tokens.

        Raises:
            InputError: the text contains a marker of the chat format, which the runtime would read as
                structure, or a character that it cannot read.
            ContextFullError: the conversation with this turn does not fit into the context.
            PocketGemmaError: the conversation has ended.
            RuntimeError: the runtime fails.
        """
        check_text(text, self._runtime.chat_format)
        if self.ended:
            raise PocketGemmaError("this conversation has ended; start a new one")
        limit = self._max_new_tokens if max_new_tokens is None else max_new_tokens
        before, asked = self.tokens, self._tokens_of(text) if limit is not None else 0
        pieces: SimpleQueue[str | _End] = SimpleQueue()
        self._cancelled = self.truncated = said = False
        self.ended = True
        self._reply = Thread(target=self._generate, args=(text, max_new_tokens, pieces), daemon=True)
        self._reply.start()
        try:
            while not isinstance(piece := pieces.get(), _End):
                # What came before the runtime stopped is no longer wanted.
                if not self._cancelled:
                    said = said or bool(piece)
                    yield piece
        finally:
            self._end_reply()
        if piece.error is not None:
            if any(part in str(piece.error) for part in CONTEXT_FULL):
                raise self._context_full() from None
            raise piece.error
        if not self._cancelled:
            # If no room at all is left, the runtime says nothing and reports no error.
            if not said and self.tokens == before:
                raise self._context_full()
            self.truncated = limit is not None and self.tokens - before - asked >= limit
            self.ended = False

    def render(self, text: str) -> str:
        """The conversation so far and a user turn as the runtime's template renders them."""
        rendered: str = self._conversation.render_message_to_string({"role": "user", "content": text})
        return rendered

    def cancel(self) -> None:
        """Stop the reply that is being generated, if there is one. Any thread, and signal handlers too."""
        if self._reply is not None:
            self._cancelled = True
            self._conversation.cancel_process()

    def _generate(self, text: str, max_new_tokens: int | None, pieces: "SimpleQueue[str | _End]") -> None:
        """Put the pieces of a reply, then its end, into a queue."""
        error: Exception | None = None
        try:
            for chunk in self._conversation.send_message_async(
                {"role": "user", "content": text}, max_output_tokens=max_new_tokens
            ):
                pieces.put(_text(chunk))
                # The first attempt may have come before the runtime had started.
                if self._cancelled:
                    self._conversation.cancel_process()
        except Exception as failure:
            error = failure
        pieces.put(_End(error))

    def _end_reply(self) -> None:
        """Stop the reply unless it is complete, and wait: until then the runtime uses the conversation."""
        if (reply := self._reply) is None:
            return
        if reply.is_alive():
            self._conversation.cancel_process()
        reply.join()
        self._reply = None

    def _tokens_of(self, text: str) -> int:
        """Tokens that a user turn adds before its reply; the first adds the start token and the history."""
        starts = self.tokens == 0 and self._runtime.start_id is not None
        return len(self._runtime.tokenize(self.render(text))) + starts

    def _context_full(self) -> ContextFullError:
        length = self._runtime.context_length
        size = f" of {length} tokens" if length else ""
        return ContextFullError(f"the conversation does not fit into the model's context{size}; shorten it")


class _End:
    """The end of a reply, with the error that ended it."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


def check_text(text: str, chat_format: ChatFormat) -> None:
    """Check that the runtime reads a message as nothing but text.

    Raises:
        InputError: it contains a marker of the chat format, a NUL or a character that is not Unicode text.
    """
    marker = chat_format.control_token_in(text)
    if marker:
        raise InputError(
            f"the text contains {marker}, which marks the structure of a conversation; remove it"
        )
    if "\0" in text:
        raise InputError("the text contains a NUL character, where the runtime would cut it off; remove it")
    surrogate = next((character for character in text if "\ud800" <= character <= "\udfff"), None)
    if surrogate:
        raise InputError(f"the text contains U+{ord(surrogate):04X}, an unpaired surrogate; remove it")


def _text(message: Any) -> str:
    content = message.to_json()["content"] if hasattr(message, "to_json") else message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")
