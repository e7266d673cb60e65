"""Promise: a runtime that adds other tokens between turns is found, and a wrong adapter or one that has
no effect is too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import pytest

from pipeline.data.examples import Example
from pipeline.evaluation import runtime_checks as module
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.runtime_checks import adapter_differences, token_ids, turn_differences
from pipeline.families.chat import Message
from pipeline.formats.runtime_adapter import AdapterFile
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.runtime.chat import ContextFullError
from pipeline.litert.runtime.engine import Reply, Runtime
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.methods.lora import LoraFactors
from tests.support.tokenizers import make_tokenizer

EXAMPLES = [
    Example(({"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": "yes"}))
    for number in range(3)
]
ADAPTER = LoraFactors(2, 2.0, ("query",), {}).adapter("digest")


class FakeRuntime:
    """Tokenizes as training does; between its own reply and the next question it adds `extra` tokens.

    Args:
        tokenizer: the one of training.
        extra: tokens that it adds, compared with training.
        stops_at: the first question to which it stops by itself.
        context_length: tokens that a conversation can have.
    """

    def __init__(
        self, tokenizer: Tokenizer, extra: int = 0, stops_at: int = 0, context_length: int | None = None
    ) -> None:
        self.context_length = context_length
        self.tokenizer, self.extra, self.stops_at = tokenizer, extra, stops_at
        self.model = Path("model.litertlm")
        self.tokens = 0
        self.asked: list[str] = []

    def token_ids(self, messages: tuple[Message, ...]) -> list[int]:
        return [*self.tokenizer.prompt_ids(messages), *[7] * self.extra]

    def answer(self, messages: tuple[Message, ...], **_: Any) -> Reply:
        number = int(messages[-1]["content"].split()[-1])
        return Reply("yes", stopped=number >= self.stops_at, tokens=2)

    def chat(self, **_: Any) -> Self:
        self.tokens = 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def stream(self, text: str, **_: Any) -> Iterator[str]:
        question = self.tokenizer.chat.render_question(text)
        first = not self.tokens
        before = "" if first else "\n"
        self.tokens += len(self.tokenizer.encode(before + question)) + 1 + (0 if first else self.extra)
        if self.context_length and self.tokens >= self.context_length:
            raise ContextFullError("full")
        self.asked.append(text)
        yield "yes"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return make_tokenizer(tmp_path)


def as_runtime(fake: FakeRuntime) -> Runtime:
    return cast(Runtime, fake)


def test_the_token_ids_of_both_sides_are_listed_by_conversation(tokenizer: Tokenizer) -> None:
    found = token_ids(as_runtime(FakeRuntime(tokenizer)), tokenizer, EXAMPLES)
    assert all(ids.same for ids in found)
    assert any("question 2" in ids.conversation for ids in found)
    assert not any(
        ids.same for ids in token_ids(as_runtime(FakeRuntime(tokenizer, extra=1)), tokenizer, EXAMPLES)
    )


def test_conversations_that_exceed_the_context_are_left_out(tokenizer: Tokenizer) -> None:
    every = token_ids(as_runtime(FakeRuntime(tokenizer)), tokenizer, EXAMPLES)
    lengths = sorted(len(ids.training) for ids in every)
    runtime = as_runtime(FakeRuntime(tokenizer, context_length=lengths[-1]))
    assert len(token_ids(runtime, tokenizer, EXAMPLES)) == sum(length < lengths[-1] for length in lengths)


def test_where_the_context_has_no_room_for_a_second_question_another_first_one_is_asked(
    tokenizer: Tokenizer,
) -> None:
    first = Example(({"role": "user", "content": "long " * 50 + "0"}, {"role": "assistant", "content": "A"}))
    room = len(tokenizer.prompt_ids(first.context)) + 5
    fake = FakeRuntime(tokenizer, extra=1, context_length=room)
    examples = [first, *EXAMPLES[1:]]
    assert len(turn_differences(as_runtime(fake), tokenizer, examples, max_new_tokens=8)) == 1
    assert fake.asked == [first.question, "question 1", "question 2"]
    tight = FakeRuntime(tokenizer, context_length=30)
    assert turn_differences(as_runtime(tight), tokenizer, EXAMPLES, max_new_tokens=8) == []


def test_a_runtime_that_continues_as_training_does_passes(tokenizer: Tokenizer) -> None:
    fake = FakeRuntime(tokenizer, stops_at=1)
    assert turn_differences(as_runtime(fake), tokenizer, EXAMPLES, max_new_tokens=8) == []
    assert fake.asked == ["question 1", "question 2"], "asks on only after a reply that stops by itself"


def test_other_tokens_between_two_turns_are_counted(tokenizer: Tokenizer) -> None:
    (found,) = turn_differences(
        as_runtime(FakeRuntime(tokenizer, extra=1)), tokenizer, EXAMPLES, max_new_tokens=8
    )
    between = len(tokenizer.encode("\n" + tokenizer.chat.render_question("question 2")))
    assert found == f"a second question takes {between + 1} tokens in the runtime and {between} in training"


def test_without_a_reply_that_stops_nothing_is_compared(tokenizer: Tokenizer) -> None:
    fake = FakeRuntime(tokenizer, extra=1, stops_at=9)
    assert turn_differences(as_runtime(fake), tokenizer, EXAMPLES, max_new_tokens=8) == []


@pytest.mark.parametrize(
    ("content", "change", "expected"),
    [
        (b"trained", 0.5, []),
        (b"another", 0.5, ["adapter.tflite does not contain the trained tensors"]),
        (b"trained", 0.0, ["adapter.tflite has no effect in the runtime"]),
    ],
)
def test_an_adapter_that_is_another_one_or_has_no_effect_is_found(
    tmp_path: Path,
    tokenizer: Tokenizer,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    change: float,
    expected: list[str],
) -> None:
    file = tmp_path / "adapter.tflite"
    file.write_bytes(content)
    found = AdapterFile(file, "poet", 16, "digest", {}, "")
    base = [Answer(each.question, "yes", "yes", True, -1.0, 2) for each in EXAMPLES]
    asked = []

    def answer_base(
        runtime: Runtime, examples: list[Example], *, max_new_tokens: int, adapter: Path | None = None
    ) -> list[Answer]:
        assert adapter is None
        asked.extend(examples)
        return base[: len(examples)]

    def write(adapter: Adapter, path: Path, *, rank: int, name: str) -> None:
        assert (adapter, rank, name) == (ADAPTER, 16, "poet")
        path.write_bytes(b"trained")

    monkeypatch.setattr(module, "check_adapter_file", lambda path, model: found)
    monkeypatch.setattr(module, "write_adapter", write)
    monkeypatch.setattr("pipeline.evaluation.in_runtime.answer_all", answer_base)
    answers = [replace(answer, logprob=answer.logprob + change) for answer in base]
    runtime = as_runtime(FakeRuntime(tokenizer))
    assert adapter_differences(runtime, file, ADAPTER, EXAMPLES, answers, questions=2) == expected
    assert asked == EXAMPLES[:2]
