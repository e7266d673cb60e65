"""Promise: messages are read field by field as protobuf writes them; what is cut off is refused."""

import pytest

from pipeline.formats.protobuf import ERRORS, fields, numbers, varint


def message() -> bytes:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

    found = LlmMetadata(max_num_tokens=300)
    found.start_token.token_ids.ids.extend([2, 1 << 20])
    found.sampler_params.p = 0.5
    return bytes(found.SerializeToString(deterministic=True))


def test_fields_are_read_as_the_library_wrote_them() -> None:
    found = dict(fields(message()))
    assert found[5] == 300
    (token_ids,) = (value for _, value in fields(found[1]))  # type: ignore[arg-type]
    assert [each for _, ids in fields(token_ids) for each in numbers(ids)] == [2, 1 << 20]  # type: ignore[arg-type]
    assert dict(fields(found[4]))[3] == b"\0\0\0\x3f"  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, (1 << 63) - 1])
def test_numbers_of_any_length_are_read(value: int) -> None:
    encoded, left = bytearray(), value
    while left > 127:
        encoded.append(left & 127 | 128)
        left >>= 7
    encoded.append(left)
    assert varint(bytes(encoded), 0) == (value, len(encoded))
    assert numbers(bytes(encoded) * 2) == [value, value]
    assert numbers(value) == [value]


@pytest.mark.parametrize("content", [b"\x0a\x05abc", b"\x08", b"\x0b", b"\x08" + b"\xff" * 11, b"\x09\0\0"])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(ERRORS):
        list(fields(content))
