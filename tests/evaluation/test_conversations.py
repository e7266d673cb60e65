"""Promise: the compared conversations contain what templates and tokenizers get wrong, and are always the
same."""

from pipeline.data.examples import Example
from pipeline.evaluation.conversations import conversations, spread
from pipeline.families.turns import CHAT

EXAMPLES = [
    Example(({"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": "a"}), f"f:{n}")
    for n in range(10)
]


def test_every_conversation_can_be_rendered() -> None:
    for _, messages in conversations(EXAMPLES):
        assert CHAT.render_prompt(messages).endswith("<start_of_turn>model\n")


def test_a_system_message_several_turns_line_breaks_and_other_scripts_are_among_them() -> None:
    built = [messages for _, messages in conversations([])]
    texts = "".join(turn["content"] for messages in built for turn in messages)
    assert any(messages[0]["role"] == "system" for messages in built)
    assert any(len(messages) >= 5 for messages in built)
    assert "\n\n" in texts
    assert any(ord(character) > 0xFFFF for character in texts)


def test_some_examples_are_added() -> None:
    assert len(conversations(EXAMPLES, 4)) == len(conversations([])) + 4


def test_spread_takes_evenly_spaced_examples() -> None:
    assert [example.question for example in spread(EXAMPLES, 5)] == [f"question {n}" for n in (0, 2, 4, 6, 8)]
    assert spread(EXAMPLES, 99) == EXAMPLES
    assert spread([], 5) == []
