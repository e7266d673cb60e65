"""The chat format with <start_of_turn> and <end_of_turn>, of every Gemma up to Gemma 3n."""

from dataclasses import replace

from pipeline.families.chat import ChatFormat

# The format that Gemma 1 to 3n were instruction-tuned with (Gemma 3 model card, "Prompt structure"):
#
#     <bos><start_of_turn>user
#     {question}<end_of_turn>
#     <start_of_turn>model
#     {answer}<end_of_turn>
#
# The runtime (LiteRT-LM 0.18 and later) gives a message's content as a list of parts, tokenizers give it as a
# string; the template takes both. "model" is accepted as a role because the runtime names its own turns so.
# The line break between two turns is written before the second: in a conversation that goes on, the runtime
# renders only what comes after its own reply, and would lose a line break that belongs to the turn before.
_TEXT = (
    "{%- macro text(content) -%}"
    "{%- if content is string -%}{{ content | trim }}"
    "{%- else -%}{%- for part in content -%}{%- if part['type'] == 'text' -%}{{ part['text'] | trim "
    "}}{%- endif -%}{%- endfor -%}"
    "{%- endif -%}{%- endmacro -%}"
)
_PREFACE = (
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set preface = text(messages[0]['content']) + '\\n\\n' -%}{%- set turns = messages[1:] -%}"
    "{%- else -%}{%- set preface = '' -%}{%- set turns = messages -%}{%- endif -%}"
)
_ROLE = "{%- if message['role'] == 'assistant' -%}{%- set role = 'model' -%}"
_OTHER_ROLE = "{%- else -%}{%- set role = message['role'] -%}{%- endif -%}"


def template(start: str, end: str, system_role: str | None = None) -> str:
    """A Jinja chat template for turns between two markers.

    Args:
        start, end: the markers.
        system_role: as in `ChatFormat`.
    """
    if system_role is None:
        preface, turns, of_first = _PREFACE, "turns", "{%- if loop.first -%}{{ preface }}{%- endif -%}"
        role = _ROLE
    else:
        preface, turns, of_first = "", "messages", ""
        role = _ROLE + "{%- elif message['role'] == 'system' -%}{%- set role = '" + system_role + "' -%}"
    return (
        "{{ bos_token }}"
        + _TEXT
        + preface
        + "{%- for message in "
        + turns
        + " -%}"
        + role
        + _OTHER_ROLE
        + "{%- if not loop.first -%}{{ '\\n' }}{%- endif -%}{{ '"
        + start
        + "' + role + '\\n' }}"
        + of_first
        + "{{ text(message['content']) }}{{ '"
        + end
        + "' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '\\n"
        + start
        + "model\\n' }}{%- endif -%}"
    )


CHAT = ChatFormat(
    bos="<bos>",
    eos="<eos>",
    pad="<pad>",
    unk="<unk>",
    start_of_turn="<start_of_turn>",
    end_of_turn="<end_of_turn>",
    other_control_tokens=("<mask>", "<start_of_image>", "<end_of_image>"),
    user="user",
    model="model",
    template=template("<start_of_turn>", "<end_of_turn>"),
)

DEVELOPER = "developer"


def with_system_turns(other_control_tokens: tuple[str, ...]) -> ChatFormat:
    """The same format, but a system message is a turn of its own, of a developer.

    Args:
        other_control_tokens: further tokens that may not occur in a text.
    """
    return replace(
        CHAT,
        other_control_tokens=CHAT.other_control_tokens + other_control_tokens,
        system_role=DEVELOPER,
        template=template(CHAT.start_of_turn, CHAT.end_of_turn, DEVELOPER),
    )
