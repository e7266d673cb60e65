"""Writing LlmMetadata, by the message classes of the package litert-lm-builder."""

from pipeline.errors import InputError
from pipeline.formats.llm_metadata import LlmMetadata


def update_llm_metadata(data: bytes, new: LlmMetadata, where: str) -> bytes:
    """An LlmMetadata message with other values; equal input gives equal bytes.

    Args:
        data: the message to start from; fields that `new` does not have are kept.
        new: start token, stop tokens, sampler, context length and template to set, tokens by their ids; turns
            are not set.
        where: what to call the file in an error.

    Raises:
        InputError: the message is damaged.
    """
    from google.protobuf.message import DecodeError
    from litert_lm_builder.runtime.proto import llm_metadata_pb2, sampler_params_pb2

    message = llm_metadata_pb2.LlmMetadata()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise InputError(f"{where}: damaged metadata section; copy or convert it again") from None
    message.start_token.Clear()
    for start in new.start:
        message.start_token.token_ids.ids.extend(start)
    del message.stop_tokens[:]
    for stop in new.stop:
        message.stop_tokens.add().token_ids.ids.extend(stop)
    message.jinja_prompt_template = new.template or ""
    message.max_num_tokens = new.max_tokens or 0
    if new.sampler is not None:
        sampler = message.sampler_params
        sampler.Clear()
        sampler.type = sampler_params_pb2.SamplerParameters.Type.Value(new.sampler.type)
        sampler.k, sampler.p, sampler.temperature = new.sampler.k, new.sampler.p, new.sampler.temperature
    return bytes(message.SerializeToString(deterministic=True))
