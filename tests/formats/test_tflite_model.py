"""Promise: context length, prefill lengths, KV cache and LoRA rank are those of the signatures, ours or
another tool's."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite_model import decode_inputs, prefill_signatures, read_language_model
from tests.support.tflite import Constant, write_tflite
from tests.support.tiny_gemma import SPEC

INPUTS = {
    "tokens": ((1, 1), "INT32"),
    "mask": ((1, 1, 1, 48), "FLOAT32"),
    "kv_cache_k_0": ((1, 1, 48, 8), "FLOAT16"),
    "kv_cache_v_0": ((1, 1, 8, 48), "FLOAT16"),
    "lora_atten_q_a_prime_weight_0": ((64, 16), "FLOAT32"),
    "lora_atten_q_b_prime_weight_0": ((16, 32), "FLOAT32"),
}
PREFILLS = {f"prefill_{length}": {"tokens": ((1, length), "INT32")} for length in (128, 16)}


@pytest.mark.parametrize("decode", ["decode", "decode_lora_r16"])
def test_signatures_caches_and_lora_inputs_are_read(tmp_path: Path, decode: str) -> None:
    path = write_tflite(tmp_path / "m.tflite", (), {**PREFILLS, decode: INPUTS})
    found = read_language_model(path.read_bytes(), "m")
    assert found.prefill_lengths == (16, 128)
    assert (found.context_length, found.kv_cache_bytes, found.lora_rank) == (48, 2 * 48 * 8 * 2, 16)
    inputs = decode_inputs(found.tflite)
    assert {name: (each.shape, each.dtype) for name, each in inputs.items()} == INPUTS
    assert [each.name for each in prefill_signatures(found.tflite).values()] == ["prefill_16", "prefill_128"]


def test_what_a_model_lacks_is_left_out(tmp_path: Path) -> None:
    signatures = {"encode": {"tokens": ((1, 4), "INT32")}, "prefill_x": {}, "12": {}}
    path = write_tflite(tmp_path / "m.tflite", (), signatures)
    found = read_language_model(path.read_bytes(), "m")
    assert (found.prefill_lengths, found.context_length, found.kv_cache_bytes) == ((), None, 0)
    assert (found.lora_rank, found.matrices, found.matrix_bytes) == (None, (), {})


def test_bytes_by_type_are_those_of_the_matrices(tmp_path: Path) -> None:
    constants = [
        Constant(("a",), (6, 64), "INT4", bytes(192), 12, 32),
        Constant(("b",), (6, 64), "INT4", bytes(192), 6),
        Constant(("c",), (2, 2), "FLOAT32", bytes(16)),
    ]
    found = read_language_model(write_tflite(tmp_path / "m.tflite", constants).read_bytes(), "m")
    assert found.matrix_bytes == {"INT4": 384, "FLOAT32": 16}


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.litertlm: not a \.tflite model"):
        read_language_model(b"PK\x03\x04 a zip", "model.litertlm")


@pytest.mark.slow
def test_a_converted_model_declares_what_was_asked_for(model: Path) -> None:
    found = read_language_model(read_container(model).read(MODEL), "model")
    assert found.prefill_lengths == SPEC.prefill_lengths
    assert found.context_length == SPEC.context_length
    # Two layers, a key and a value head of 32, float32.
    assert found.kv_cache_bytes == 2 * 2 * SPEC.context_length * 32 * 4
    assert set(found.matrix_bytes) == {"FLOAT32"}
