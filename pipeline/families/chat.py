"""How a family writes a conversation as text: turn markers, chat template, stop tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from pipeline.errors import InputError

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One turn of a conversation, in the schema that chat data sets use."""

    role: Role
    content: str


RESERVED = re.compile(r"<unused\d+>|\[multimodal\]")
"""Pieces of Gemma's vocabulary that are kept for later use: text that contains them becomes one untrained
token."""


def trim_answer(text: str) -> str:
    """An answer without white space around it. The indentation of the first of several lines stays: in code
    it has a meaning."""
    body = re.sub(r"\A(?:[^\S\n]*\n)+", "", text.rstrip())
    return body if "\n" in body else body.strip()


@dataclass(frozen=True)
class ChatFormat:
    """The chat format that a family was instruction-tuned with.

    Attributes:
        bos, eos, pad, unk: the tokenizer's control tokens.
        start_of_turn, end_of_turn: the markers around a turn.
        other_control_tokens: further pieces with a meaning of their own, such as image markers.
        user, model: names of the two roles in the text.
        template: the same format as a Jinja chat template, for tokenizers and runtimes.
        system_role: the role of a turn with a system message; None: there is none, and the message stands
            before the first user turn.
        system_separator: what joins the two then.
    """

    bos: str
    eos: str
    pad: str
    unk: str
    start_of_turn: str
    end_of_turn: str
    other_control_tokens: tuple[str, ...]
    user: str
    model: str
    template: str
    system_role: str | None = None
    system_separator: str = "\n\n"

    @property
    def stop_tokens(self) -> tuple[str, str]:
        """A reply ends at either; a runtime that knows only `eos` shows `end_of_turn` or never stops."""
        return self.eos, self.end_of_turn

    @property
    def specials(self) -> dict[str, str]:
        """The tokens that a tokenizer knows by a role: pad, eos, bos and unk."""
        return {"pad": self.pad, "eos": self.eos, "bos": self.bos, "unk": self.unk}

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """None of these may occur in a user's text: the model would read them as structure."""
        markers = (self.start_of_turn, self.end_of_turn)
        return (self.bos, self.eos, self.pad, self.unk, *markers, *self.other_control_tokens)

    @property
    def user_prefix(self) -> str:
        """Text before a user turn."""
        return f"{self.start_of_turn}{self.user}\n"

    @property
    def model_prefix(self) -> str:
        """Text before a model turn."""
        return f"{self.start_of_turn}{self.model}\n"

    @property
    def turn_suffix(self) -> str:
        """Text after a turn."""
        return f"{self.end_of_turn}\n"

    def control_token_in(self, text: str) -> str | None:
        """The first control token or reserved piece that occurs in a text; None if there is none."""
        token = next((token for token in self.control_tokens if token in text), None)
        reserved = None if token else RESERVED.search(text)
        return reserved[0] if reserved else token

    def render_prompt(self, messages: Sequence[Message]) -> str:
        """Text up to where the model's reply begins, without `bos`.

        Args:
            messages: at least one turn, the last one the user's.

        Raises:
            InputError: no turn, turns out of order, or the last one is not the user's.
        """
        turns = list(messages)
        preface = text = ""
        if turns and turns[0]["role"] == "system":
            system, turns = turns[0]["content"].strip(), turns[1:]
            if self.system_role is None:
                preface = system + self.system_separator
            else:
                text = f"{self.start_of_turn}{self.system_role}\n{system}{self.turn_suffix}"
        if not turns or turns[-1]["role"] != "user":
            raise InputError("a conversation must end with a user turn where a reply is expected; add one")
        for index, turn in enumerate(turns):
            expected = "user" if index % 2 == 0 else "assistant"
            if turn["role"] != expected:
                raise InputError(
                    f"turn {index + 1} has role {turn['role']!r}, expected {expected!r}: user and assistant "
                    "must alternate"
                )
            prefix = self.user_prefix if expected == "user" else self.model_prefix
            text += prefix + (preface if index == 0 else "") + turn["content"].strip() + self.turn_suffix
        return text + self.model_prefix

    def render_question(self, question: str) -> str:
        """`render_prompt` for one question without history."""
        return self.render_prompt([{"role": "user", "content": question}])

    def render_continuation(self, question: str) -> str:
        """The text between two replies of a conversation: from behind the marker that ends the first to where
        the second begins."""
        return "\n" + self.render_question(question)

    def render_answer(self, answer: str) -> str:
        """The text that the model is trained to write after `render_prompt`: the answer and the marker that
        ends it."""
        return trim_answer(answer) + self.end_of_turn
