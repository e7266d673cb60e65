"""Promise: what the vendor's classes write is read without them; damage is refused."""

import pytest

from pipeline.errors import InputError
from pipeline.formats.llm_metadata import LlmMetadata, Sampler, Turn, read_llm_metadata


def message() -> bytes:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata as Message
    from litert_lm_builder.runtime.proto.sampler_params_pb2 import SamplerParameters

    found = Message(max_num_tokens=77, jinja_prompt_template="{{ x }}")
    found.start_token.token_ids.ids.append(2)
    found.stop_tokens.add().token_str = "<end_of_turn>"
    found.stop_tokens.add().token_ids.ids.extend([1, 300])
    found.sampler_params.type = SamplerParameters.TOP_P
    found.sampler_params.k, found.sampler_params.p = 5, 0.95
    found.sampler_params.temperature, found.sampler_params.seed = 0.7, 3
    found.prompt_templates.user.prefix = "U:"
    found.prompt_templates.model.suffix = "\n"
    return bytes(found.SerializeToString())


def test_every_field_is_read() -> None:
    assert read_llm_metadata(message(), "x") == LlmMetadata(
        start=[(2,)],
        stop=["<end_of_turn>", (1, 300)],
        turns={"user": Turn("U:", ""), "model": Turn("", "\n")},
        sampler=Sampler("TOP_P", 5, 0.95, 0.7, 3),
        max_tokens=77,
        template="{{ x }}",
    )


def test_what_is_not_set_is_empty() -> None:
    assert read_llm_metadata(b"", "x") == LlmMetadata()


@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"\x0a\x05", message()[:-1]])
def test_a_damaged_message_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="x: damaged metadata section"):
        read_llm_metadata(content, "x")
