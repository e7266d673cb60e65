"""Small files of each kind, for every report."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.formats.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY
from tests.support.litertlm import write_container
from tests.support.tflite import Constant, write_tflite
from tests.support.tokenizers import make_tokenizer

MATRIX = Constant(("m",), (6, 64), "INT8", bytes(384), 6)
# protobuf, field by field: stop_tokens (5), start_token (6), prompt_templates (17) with the user's prefix and
# suffix.
TASK_METADATA = b"\x2a\x05<eos>\x2a\x0d<end_of_turn>\x32\x05<bos>\x8a\x01\x08\x0a\x06\x12\x01>\x1a\x01<"


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    return write_tflite(tmp_path / "model.tflite", [MATRIX])


@pytest.fixture
def tokenizer(tmp_path: Path) -> bytes:
    (tmp_path / "tokenizer").mkdir()
    return make_tokenizer(tmp_path / "tokenizer").path.read_bytes()


@pytest.fixture
def bundle(tmp_path: Path, tflite: Path, tokenizer: bytes) -> Path:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata
    from litert_lm_builder.runtime.proto.sampler_params_pb2 import SamplerParameters

    metadata = LlmMetadata(max_num_tokens=77, jinja_prompt_template="{{ x }}")
    metadata.start_token.token_ids.ids.append(2)
    metadata.stop_tokens.add().token_str = "<end_of_turn>"
    metadata.stop_tokens.add().token_ids.ids.append(1)
    metadata.sampler_params.type = SamplerParameters.TOP_K
    metadata.sampler_params.k = 5
    metadata.prompt_templates.user.prefix = "U:"
    return write_container(
        tmp_path / "model.litertlm", tokenizer, tflite.read_bytes(), metadata.SerializeToString()
    )


def write_task(path: Path, model: bytes, tokenizer: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL_ENTRY, model, compression)
        archive.writestr(TOKENIZER_ENTRY, tokenizer)
        archive.writestr(METADATA_ENTRY, TASK_METADATA)
    return path


def write_runtime_adapter(path: Path) -> Path:
    factors = {
        (target, layer): (np.ones((8, 4), np.float32), np.ones((4, 12), np.float32))
        for layer in (0, 1)
        for target in ("query", "output")
    }
    write_adapter_file(path, factors, rank=16, base_digest="ab" * 32, name="Grüße")
    return path
