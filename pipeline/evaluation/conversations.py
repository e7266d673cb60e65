"""Conversations that reveal differences between templates or tokenizers: any difference shows in their token
IDs."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pipeline.data.examples import Example
from pipeline.families.chat import Message

Item = TypeVar("Item")

PLAIN = "Hello, how are you?"
LINES = "first line\n\nsecond line\n\n\n  indented, after three breaks\ttab"
UNICODE = "Grüße aus Zürich, 你好, مرحبا, e\u0301 (two code points), 👩\u200d🚀, \u00a0no-break"
SPACES = "  two spaces around  and   three inside  "
CODE = 'if a < b and c > d: print("{{ x }}") # {% y %} \\n <b>'


def conversations(examples: Sequence[Example], count: int = 8) -> list[tuple[str, tuple[Message, ...]]]:
    """Named conversations, each ending with a user turn: built-in ones, then some of the examples.

    Args:
        examples: the source of the latter, evenly spaced.
        count: how many examples, at most.
    """
    built: list[tuple[str, tuple[Message, ...]]] = [
        ("one turn", (_user(PLAIN),)),
        ("line breaks and tabs", (_user(LINES),)),
        ("other scripts and emoji", (_user(UNICODE),)),
        ("spaces", (_user(SPACES),)),
        ("code and template marks", (_user(CODE),)),
        (
            "several turns",
            (_user(PLAIN), _assistant("Fine."), _user(LINES), _assistant(UNICODE), _user("And then?")),
        ),
        ("a system message", (_system("Answer in one word."), _user(PLAIN))),
        (
            "a system message and several turns",
            (_system(LINES), _user(PLAIN), _assistant("Fine."), _user(UNICODE)),
        ),
    ]
    return built + [
        (f"{example.source or 'example'}: {example.question[:40]}", example.messages[:-1])
        for example in spread(examples, count)
    ]


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` items, such as examples, evenly spaced, always the same ones."""
    return list(_spread(items, min(count, len(items))))


def _spread(items: Sequence[Item], count: int) -> Iterator[Item]:
    for index in range(count):
        yield items[index * len(items) // count]


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _system(content: str) -> Message:
    return {"role": "system", "content": content}
