"""The schema of an example inside the pipeline, and its JSONL form."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message, trim_answer


@dataclass(frozen=True)
class Example:
    """A conversation whose last turn, the assistant's, is the expected response.

    Attributes:
        messages: alternating user and assistant turns, an optional system turn first, an assistant turn last.
        source: file name and row that it came from, for messages.
        tags: other text columns of the row (kind, topic, …); scores are broken down by them.
    """

    messages: tuple[Message, ...]
    source: str = ""
    tags: dict[str, str] = field(default_factory=dict)

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


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write one JSON object a line: {"messages": […], "source": …, "tags": {…}}."""
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            document = {"messages": list(example.messages), "source": example.source, "tags": example.tags}
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
    return [Example(tuple(doc["messages"]), doc["source"], doc["tags"]) for doc in documents]
