"""The phone's own runtime, LiteRT-LM, on this machine: answers, token ids and log-probabilities of a
converted model."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.chat import Message, trim_answer
from pipeline.litert.runtime.adapter_store import AdapterStore
from pipeline.litert.runtime.chat import Chat
from pipeline.litert.runtime.model_file import (
    chat_format_of,
    check_model_file,
    context_length_of,
    with_its_suffix,
)
from pipeline.litert.runtime.sampling import GREEDY, Sampling
from pipeline.machine import available_cores

if TYPE_CHECKING:
    import litert_lm


THREADS = 4
"""The runtime's own number of threads. More threads than cores make it slower."""


def cpu_backend() -> "litert_lm.Backend":
    """The CPU backend, with no more threads than this process may use cores."""
    import litert_lm

    return litert_lm.Backend.CPU(thread_count=min(THREADS, available_cores()))


@dataclass(frozen=True)
class Reply:
    """A reply.

    Attributes:
        text: without markers, white space at both ends removed.
        stopped: it ended by itself at a stop token, within the limit.
        tokens: how many tokens were generated, the stop token included.
    """

    text: str
    stopped: bool
    tokens: int


class Runtime:
    """A converted model, open in the runtime with the CPU backend, which phones have too.

    A base with LoRA inputs takes an adapter for each conversation; None means the base itself. An adapter is
    checked and read once and stays in memory until the model is closed.

    Args:
        model: a .litertlm or .task file.
        cache: folder for the runtime's packed weights; None: a temporary one, deleted when the model is
            closed. By default the runtime writes them next to the model, and recognizes a file by name, size
            and modification time only.

    Raises:
        InputError: the file is missing, not a model, truncated, or rejected by the runtime.
    """

    def __init__(self, model: Path, *, cache: Path | None = None) -> None:
        check_model_file(model)
        import litert_lm

        litert_lm.set_min_log_severity(litert_lm.LogSeverity.SILENT)
        self.model = model
        self.chat_format = chat_format_of(model)
        self.context_length = context_length_of(model)
        self._resources = ExitStack()
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="pocketgemma-")))
        cache = cache or folder
        cache.mkdir(parents=True, exist_ok=True)
        try:
            self._adapters = AdapterStore(model, folder)
        except InputError:
            self._resources.close()
            raise
        try:
            named = with_its_suffix(model, folder)
            self._engine = litert_lm.Engine(str(named), backend=cpu_backend(), cache_dir=str(cache))
        except RuntimeError:
            self._resources.close()
            raise InputError(
                f"{model}: the runtime rejects this file: it is damaged or made for another runtime; convert "
                "it again"
            ) from None
        self._resources.callback(self._engine.close)
        self._skips_a_token: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the model and free its memory."""
        self._resources.close()

    @property
    def start_id(self) -> int | None:
        """ID of the token with which the runtime starts a conversation; None: no such token."""
        found: int | None = self._engine.bos_token_id
        return found

    @property
    def stop_ids(self) -> list[list[int]]:
        """The token ID sequences that end a reply."""
        found: list[list[int]] = self._engine.eos_token_ids
        return found

    def chat(
        self,
        history: Sequence[Message] = (),
        *,
        greedy: bool = False,
        sampling: Sampling | None = None,
        max_new_tokens: int | None = None,
        adapter: Path | None = None,
    ) -> Chat:
        """Start a conversation that continues from the turns of `history`.

        Args:
            history: the turns so far; the last one is the assistant's, or the only one is a system turn.
            greedy: always take the likeliest token.
            sampling: otherwise, how tokens are drawn; None: as the model file specifies.
            max_new_tokens: longest reply, in tokens.
            adapter: an adapter file for the whole conversation; None means the base itself.

        Raises:
            InputError: the adapter is damaged or belongs to another base, or the model takes no adapters.
        """
        import litert_lm

        chosen = GREEDY if greedy else sampling
        conversation = self._engine.create_conversation(
            messages=[{"role": turn["role"], "content": turn["content"]} for turn in history],
            sampler_config=litert_lm.SamplerConfig(**asdict(chosen)) if chosen else None,
            max_output_tokens=max_new_tokens,
            lora_config=self._lora(adapter),
        )
        return Chat(self, conversation, max_new_tokens)

    def answer(
        self, messages: Sequence[Message], *, max_new_tokens: int, adapter: Path | None = None
    ) -> Reply:
        """Reply greedily to a conversation that ends with a user turn.

        Args:
            messages: the conversation.
            max_new_tokens: longest reply, in tokens.
            adapter: as for `chat`.
        """
        self.chat_format.render_prompt(messages)  # rejects turns in the wrong order
        prompt_tokens = len(self.token_ids(messages))
        for limit in (max_new_tokens, max_new_tokens + 1):
            with self.chat(messages[:-1], greedy=True, max_new_tokens=limit, adapter=adapter) as chat:
                text = trim_answer("".join(chat.stream(messages[-1]["content"])))
                tokens = chat.tokens - prompt_tokens
            if limit == max_new_tokens:
                first = text
            # A reply as long as the limit was either truncated or ended right there: with one token more, the
            # difference shows.
            if tokens != max_new_tokens:
                break
        return Reply(first, stopped=tokens <= max_new_tokens, tokens=min(tokens, max_new_tokens))

    def token_ids(self, messages: Sequence[Message]) -> list[int]:
        """The token IDs of a conversation that ends with a user turn, by the runtime's start token, template
        and tokenizer."""
        with self.chat(messages[:-1]) as chat:
            text = chat.render(messages[-1]["content"])
        tokens = self.tokenize(text)
        return tokens if self.start_id is None else [self.start_id, *tokens]

    def tokenize(self, text: str) -> list[int]:
        """The token IDs of a text, without start token."""
        tokens: list[int] = self._engine.tokenize(text)
        return tokens

    def logprobs(self, prompt: str, target: str, *, adapter: Path | None = None) -> list[float]:
        """Log-probability of each token of `target` after `prompt`, in nats.

        Args:
            prompt: text with markers and without <bos> that ends with a line break, as
                `ChatFormat.render_prompt` returns it.
            target: text with markers.
            adapter: as for `chat`.

        Raises:
            PocketGemmaError: the runtime returns no scores.
        """
        if self._skips_a_token is None:
            # When it scores right after a prefill, LiteRT-LM 0.18 skips the second-to-last token of the
            # prompt. Then the score does not depend on that token, and an inserted token takes its place.
            first, second = (
                self._score([prompt[:-1], filler, "\n"], target)
                for filler in ("\n", self.chat_format.start_of_turn)
            )
            self._skips_a_token = first == second
        return self._score([prompt[:-1], "\n", "\n"] if self._skips_a_token else [prompt], target, adapter)

    def _score(self, pieces: list[str], target: str, adapter: Path | None = None) -> list[float]:
        """Score a target after a prompt that is given in pieces; each piece is tokenized separately."""
        with self._engine.create_session(
            apply_prompt_template=False, lora_config=self._lora(adapter)
        ) as session:
            session.run_prefill(pieces)
            scoring = session.run_text_scoring([target], store_token_lengths=True)
        scores: list[list[float]] = scoring.token_scores
        if not scores:
            raise PocketGemmaError(f"{self.model}: the runtime returns no scores for {target!r}")
        return scores[0]

    def _lora(self, adapter: Path | None) -> "litert_lm.LoraConfig | None":
        import litert_lm

        path = self._adapters.path(adapter)
        return litert_lm.LoraConfig(lora_path=str(path)) if path else None
