"""The schema of an example inside the pipeline, and its JSONL form."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message, trim_answer


class Segment(NamedTuple):
    """A part of a conversation's text that is tokenized on its own, and whether it is trained on."""

    text: str
    learned: bool


@dataclass(frozen=True)
class Example:
    """A conversation whose last turn, the assistant's, is the expected response.

    Attributes:
        messages: alternating user and assistant turns, an optional system turn first, an assistant turn last.
        source: file name and row that it came from, for messages.
        tags: other text columns of the row (kind, topic, …); scores are broken down by them.
        learned_earlier: ascending indices of the earlier assistant turns that are trained on, too. The last
            turn always is.
    """

    messages: tuple[Message, ...]
    source: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    learned_earlier: tuple[int, ...] = ()

    @property
    def context(self) -> tuple[Message, ...]:
        """The turns before the response."""
        return self.messages[:-1]

    def prompt(self, chat: ChatFormat) -> str:
        """Text before the response in a family's chat format, markers included, without `bos`."""
        return chat.render_prompt(self.context)

    @property
    def response(self) -> str:
        """The expected response, without markers."""
        return trim_answer(self.messages[-1]["content"])

    @property
    def question(self) -> str:
        """The last user turn as written."""
        return self.messages[-2]["content"].strip()

    @property
    def last_turn_only(self) -> "Example":
        """The same conversation with only the last response, as validation and evaluation use it."""
        return replace(self, learned_earlier=())

    def earlier_prompts(self, chat: ChatFormat) -> Iterator[str]:
        """The prompt of each earlier turn that is trained on."""
        return (chat.render_prompt(self.messages[:index]) for index in self.learned_earlier)

    def segments(self, chat: ChatFormat) -> tuple[Segment, ...]:
        """The text of the conversation without `bos`, in the parts that are tokenized separately.

        Where only the last turn is trained on, the history is one part: a runtime that opens a conversation
        with its history tokenizes it as a whole. Where several are, each reply is a part: a runtime that
        continues its own conversation keeps the tokens that it generated, and adds the text from the end
        of the reply to the beginning of the next. The tokens are the same in both cases, unless a token spans
        the beginning of a reply, or a reply begins with an indentation, which the chat template removes from
        a history.
        """
        if not self.learned_earlier:
            return Segment(self.prompt(chat), False), Segment(chat.render_answer(self.response), True)
        learned = {*self.learned_earlier, len(self.messages) - 1}
        found: list[Segment] = []
        for index, message in enumerate(self.messages):
            if message["role"] != "assistant":
                continue
            before = (
                chat.render_continuation(self.messages[index - 1]["content"])
                if found
                else chat.render_prompt(self.messages[:index])
            )
            answer = chat.render_answer(message["content"])
            found += [Segment(before, False), Segment(answer, index in learned)]
        return tuple(found)


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write one JSON object a line: {"messages": […], "source": …, "tags": {…}}, with "learned_earlier": […]
    where turns before the last are trained on."""
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            document: dict[str, Any] = {
                "messages": list(example.messages),
                "source": example.source,
                "tags": example.tags,
            }
            if example.learned_earlier:
                document["learned_earlier"] = example.learned_earlier
            file.write(json.dumps(document, ensure_ascii=False) + "\n")


def read_examples(path: Path) -> list[Example]:
    """Read what `write_examples` wrote.

    Raises:
        InputError: no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run: pocketgemma prepare") from None
    documents = [json.loads(line) for line in lines if line]
    return [
        Example(tuple(doc["messages"]), doc["source"], doc["tags"], tuple(doc.get("learned_earlier", ())))
        for doc in documents
    ]
