import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat, Message
from pipeline.families.registry import FAMILIES
from pipeline.families.turns import CHAT

FORMATS = {family.chat: name for name, family in reversed(FAMILIES.items())}
every_format = pytest.mark.parametrize("chat", FORMATS, ids=FORMATS.values())
"""Each chat format once, under the name of a family that has it."""


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


SYSTEM: Message = {"role": "system", "content": "Be brief."}

CONVERSATIONS: list[list[Message]] = [
    [user("What is Au?")],
    [user("  What\n\nis „Au“? \n")],
    [SYSTEM, user("What is Au?")],
    [user("What is Au?"), assistant("Gold. "), user("And Ag?")],
    [SYSTEM, user("a"), assistant("b"), user("c"), assistant("d"), user("{{ e }} {% f %} 'g' \"h\" \\n")],
]


def by_template(
    chat: ChatFormat,
    messages: list[Message],
    *,
    parts: bool = False,
    role: str = "assistant",
    prompt: bool = True,
) -> str:
    """The chat template as a tokenizer (content as text) or as the runtime (content as parts) fills it in."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    filled = [
        {
            "role": role if message["role"] == "assistant" else message["role"],
            "content": [{"type": "text", "text": message["content"]}] if parts else message["content"],
        }
        for message in messages
    ]
    template = environment.from_string(chat.template)
    return template.render(messages=filled, bos_token=chat.bos, add_generation_prompt=prompt)


def test_a_question_is_rendered_as_gemma_was_trained() -> None:
    assert CHAT.render_question("What is Au?") == (
        "<start_of_turn>user\nWhat is Au?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert CHAT.render_answer(" Gold.\n") == "Gold.<end_of_turn>"


def test_a_system_message_stands_before_the_first_question() -> None:
    assert CHAT.render_prompt([SYSTEM, user("a"), assistant("b"), user("c")]) == (
        "<start_of_turn>user\nBe brief.\n\na<end_of_turn>\n"
        "<start_of_turn>model\nb<end_of_turn>\n"
        "<start_of_turn>user\nc<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


@pytest.mark.parametrize("parts", [False, True], ids=["text", "parts"])
@pytest.mark.parametrize("role", ["assistant", "model"])
@pytest.mark.parametrize("messages", CONVERSATIONS)
@every_format
def test_the_template_says_what_training_said(
    chat: ChatFormat, messages: list[Message], parts: bool, role: str
) -> None:
    assert by_template(chat, messages, parts=parts, role=role) == chat.bos + chat.render_prompt(messages)


@pytest.mark.parametrize("parts", [False, True], ids=["text", "parts"])
@every_format
def test_the_template_without_a_reply_asked_for_ends_after_the_answer(chat: ChatFormat, parts: bool) -> None:
    messages = [user("What is Au?"), assistant("Gold.")]
    expected = chat.bos + chat.render_prompt(messages[:1]) + chat.render_answer("Gold.")
    assert by_template(chat, messages, parts=parts, prompt=False) == expected


@every_format
def test_parts_that_are_no_text_are_left_out(chat: ChatFormat) -> None:
    content = [{"type": "image", "url": "x"}, {"type": "text", "text": "What is it?"}]
    filled = jinja2.Environment().from_string(chat.template)
    rendered = filled.render(
        messages=[{"role": "user", "content": content}], bos_token=chat.bos, add_generation_prompt=True
    )
    assert rendered == chat.bos + chat.render_question("What is it?")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "must end with a user turn"),
        ([SYSTEM], "must end with a user turn"),
        ([user("a"), assistant("b")], "must end with a user turn"),
        ([user("a"), user("b")], "turn 2 has role 'user', expected 'assistant'"),
        ([assistant("a"), user("b")], "turn 1 has role 'assistant', expected 'user'"),
        ([user("a"), SYSTEM, user("b")], "turn 2 has role 'system', expected 'assistant'"),
    ],
)
def test_turns_out_of_order_are_refused(messages: list[Message], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CHAT.render_prompt(messages)


def test_both_stop_tokens_are_those_of_gemma() -> None:
    assert set(CHAT.stop_tokens) == {"<eos>", "<end_of_turn>"}


@every_format
def test_stop_tokens_and_markers_are_control_tokens(chat: ChatFormat) -> None:
    assert {*chat.stop_tokens, chat.bos, chat.start_of_turn} <= set(chat.control_tokens)


def test_the_call_leaves_its_messages_as_they_were() -> None:
    messages = [SYSTEM, user("a")]
    CHAT.render_prompt(messages)
    assert messages == [SYSTEM, user("a")]


def test_functiongemma_has_turns_of_a_developer() -> None:
    chat = FAMILIES["functiongemma"].chat
    assert chat.render_prompt([SYSTEM, user("a")]) == (
        "<start_of_turn>developer\nBe brief.<end_of_turn>\n"
        "<start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\n"
    )
    call = "<start_function_call>"
    assert chat.control_token_in(f"{call}call:f{{}}<end_function_call>") == call
    assert CHAT.control_token_in(call) is None
