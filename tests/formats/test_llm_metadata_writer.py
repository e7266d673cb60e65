"""Promise: what is set is read back, everything else stays, and equal input gives equal bytes."""

import pytest

from pipeline.errors import InputError
from pipeline.formats.llm_metadata import LlmMetadata, Sampler, Turn, read_llm_metadata
from pipeline.formats.llm_metadata_writer import update_llm_metadata

NEW = LlmMetadata(
    start=[(2,)],
    stop=[(1,), (106,)],
    sampler=Sampler("TOP_P", 1, 1.0, 0.7),
    max_tokens=160,
    template="{{ bos_token }}",
)


def original() -> bytes:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata as Message

    message = Message(max_num_tokens=77, jinja_prompt_template="{{ x }}")
    message.start_token.token_str = "<s>"
    message.stop_tokens.add().token_str = "</s>"
    message.sampler_params.seed = 3
    message.prompt_templates.user.prefix = "U:"
    message.llm_model_type.gemma3.SetInParent()
    return bytes(message.SerializeToString())


def test_what_is_set_is_read_back_and_the_rest_is_kept() -> None:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata as Message

    written = update_llm_metadata(original(), NEW, "x")
    found = read_llm_metadata(written, "x")
    assert found.turns == {"user": Turn("U:", "")}
    found.turns = {}
    assert found == NEW
    assert Message.FromString(written).llm_model_type.HasField("gemma3")
    assert update_llm_metadata(written, NEW, "x") == written


def test_a_sampler_that_is_not_given_is_kept() -> None:
    written = update_llm_metadata(original(), LlmMetadata(start=[(2,)]), "x")
    sampler = read_llm_metadata(written, "x").sampler
    assert sampler is not None and sampler.seed == 3


def test_a_damaged_message_is_refused() -> None:
    with pytest.raises(InputError, match="x: damaged metadata section"):
        update_llm_metadata(b"\xff\xff\xff", NEW, "x")
