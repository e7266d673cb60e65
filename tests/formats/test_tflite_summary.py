"""Promise: a model's signatures and the types of its weights are read as they are; what is no model is refused."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite_summary import Tensor, read_model
from tests.support.tiny_gemma import SPEC


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 a zip", bytes(100)])
def test_what_is_no_tflite_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"model\.litertlm: not a \.tflite model"):
        read_model(content, "model.litertlm")


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_tflite_is_refused(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, 400, np.uint8).tobytes()
    with pytest.raises(InputError, match=r"damaged \.tflite"):
        read_model(noise[:4] + b"TFL3" + noise, "model.litertlm")


@pytest.mark.slow
def test_signatures_are_read_with_shapes_and_types(model: Path) -> None:
    found = read_model(read_container(model).read(MODEL), "model")
    assert set(found.signatures) == {"prefill_16", "prefill_32", "decode"}
    assert found.signatures["prefill_32"]["tokens"] == Tensor((1, 32), "INT32")
    assert found.context_length == SPEC.context_length
    assert set(found.matrix_bytes) == {"FLOAT32"}
