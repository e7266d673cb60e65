"""Turn markers, the chat template and the stop tokens of Gemma: their only home.

The format is the one that Gemma 2 and Gemma 3 were instruction-tuned with (Gemma 3 model card, "Prompt structure"):

    <bos><start_of_turn>user
    {question}<end_of_turn>
    <start_of_turn>model
    {answer}<end_of_turn>

There is no system role: a system message is put in front of the first user turn, separated by an empty line.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict

from pipeline.errors import InputError

BOS = "<bos>"
EOS = "<eos>"
START_OF_TURN = "<start_of_turn>"
END_OF_TURN = "<end_of_turn>"
STOP_TOKENS = (EOS, END_OF_TURN)
"""A reply ends at either; a runtime that knows only <eos> shows <end_of_turn> or never stops."""

CONTROL_TOKENS = (
    BOS,
    EOS,
    "<pad>",
    "<unk>",
    START_OF_TURN,
    END_OF_TURN,
    "<mask>",
    "<start_of_image>",
    "<end_of_image>",
)
"""None of these may stand in a person's text: inside text they would be read as structure."""

USER_PREFIX = f"{START_OF_TURN}user\n"
MODEL_PREFIX = f"{START_OF_TURN}model\n"
TURN_SUFFIX = f"{END_OF_TURN}\n"


class Message(TypedDict):
    """One turn of a conversation, in the schema that the field's chat data sets use."""

    role: Literal["system", "user", "assistant"]
    content: str


# The runtime (LiteRT-LM 0.18 and later) gives a message's content as a list of parts, tokenizers give it as a string; the
# template takes both. "model" is accepted as a role because the runtime names its own turns so.
# The line break between two turns is written before the second: in a conversation that goes on, the runtime renders only what
# comes after its own reply, and would lose a line break that belongs to the turn before.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- macro text(content) -%}"
    "{%- if content is string -%}{{ content | trim }}"
    "{%- else -%}{%- for part in content -%}{%- if part['type'] == 'text' -%}{{ part['text'] | trim }}{%- endif -%}{%- endfor -%}"
    "{%- endif -%}{%- endmacro -%}"
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set preface = text(messages[0]['content']) + '\\n\\n' -%}{%- set turns = messages[1:] -%}"
    "{%- else -%}{%- set preface = '' -%}{%- set turns = messages -%}{%- endif -%}"
    "{%- for message in turns -%}"
    "{%- if message['role'] == 'assistant' -%}{%- set role = 'model' -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}"
    "{%- if not loop.first -%}{{ '\\n' }}{%- endif -%}{{ '<start_of_turn>' + role + '\\n' }}"
    "{%- if loop.first -%}{{ preface }}{%- endif -%}"
    "{{ text(message['content']) }}{{ '<end_of_turn>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '\\n<start_of_turn>model\\n' }}{%- endif -%}"
)


def render_prompt(messages: Sequence[Message]) -> str:
    """Text up to where the model's answer begins, without <bos>.

    Args:
        messages: at least one turn, the last one the user's.

    Raises:
        InputError: no turn, turns out of order, or the last one is not the user's.
    """
    turns = list(messages)
    preface = ""
    if turns and turns[0]["role"] == "system":
        preface = turns[0]["content"].strip() + "\n\n"
        turns = turns[1:]
    if not turns or turns[-1]["role"] != "user":
        raise InputError("a conversation must end with a user turn where a reply is wanted; add one")
    text = ""
    for index, turn in enumerate(turns):
        expected = "user" if index % 2 == 0 else "assistant"
        if turn["role"] != expected:
            raise InputError(
                f"turn {index + 1} has role {turn['role']!r}, expected {expected!r}: user and assistant must alternate"
            )
        prefix = USER_PREFIX if expected == "user" else MODEL_PREFIX
        text += prefix + (preface if index == 0 else "") + turn["content"].strip() + TURN_SUFFIX
    return text + MODEL_PREFIX


def render_question(question: str) -> str:
    """`render_prompt` for one question without history."""
    return render_prompt([{"role": "user", "content": question}])


def render_answer(answer: str) -> str:
    """The text that the model is taught to write after `render_prompt`: the answer and the marker that ends it."""
    return answer.strip() + END_OF_TURN
