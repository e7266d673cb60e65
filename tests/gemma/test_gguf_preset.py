"""Promise: a GGUF becomes a preset with the same weights, shape and token IDs; any other file is refused in
one line that names what is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sentencepiece import SentencePieceProcessor

from pipeline.errors import InputError
from pipeline.families.config import read_json
from pipeline.families.family import GemmaShape
from pipeline.families.names import hugging_face_name
from pipeline.families.registry import FAMILIES
from pipeline.families.turns import CHAT
from pipeline.gemma import gguf_preset
from pipeline.gemma.gguf_preset import write_preset
from pipeline.gemma.presets import check_preset
from pipeline.gemma.tokenizer import Tokenizer
from tests.support.gguf_files import random_weights, write_gguf
from tests.support.presets import SHAPE
from tests.support.tokenizers import tokenizer_bytes

TEXTS = (
    "What is the symbol of gold?",
    "two  spaces,   three, and a\ttab\n\nand lines",
    " begins and ends with a space ",
    "Größe, naïve, 日本語, 🙂",
    f"{CHAT.start_of_turn}user\nHi{CHAT.end_of_turn}\n{CHAT.start_of_turn}model\n",
)


SHAPES = {
    "gemma": replace(SHAPE, family=FAMILIES["gemma"], sliding_window=None),
    "gemma2": replace(SHAPE, family=FAMILIES["gemma2"]),
    "gemma3": SHAPE,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_weights_shape_and_tokenizer_are_those_of_the_file(tmp_path: Path, shape: GemmaShape) -> None:
    weights = random_weights(shape)
    written = write_preset(write_gguf(tmp_path / "a.gguf", weights, shape=shape), tmp_path / "preset")
    assert written.shape == shape == check_preset(tmp_path / "preset")
    assert not written.quantized
    found = load_file(tmp_path / "preset/model.safetensors")
    assert found.keys() == weights.keys()
    for name, values in weights.items():
        # llama.cpp stores 1 + scale of a norm: one rounding in float32.
        tolerance = 1e-7 if name.endswith("norm.weight") else 0.0
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance, err_msg=name)


def test_a_quantized_file_says_so(tmp_path: Path) -> None:
    wide = hugging_face_name("decoder_block_1.down")
    path = write_gguf(tmp_path / "a.gguf", stored_as=lambda name: "Q8_0" if name == wide else "F16")
    written = write_preset(path, tmp_path / "preset")
    assert written.quantized
    assert written.quantizations == {"F16": 14, "F32": 13, "Q8_0": 1}


def test_shards_of_weights_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_preset, "SHARD_BYTES", 10_000)
    weights = random_weights()
    write_preset(write_gguf(tmp_path / "a.gguf", weights, shards=2), tmp_path / "preset")
    index = read_json(tmp_path / "preset/model.safetensors.index.json")["weight_map"]
    files = sorted(set(index.values()))
    assert index.keys() == weights.keys() and len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert check_preset(tmp_path / "preset") == SHAPE
    for name in files:
        assert load_file(tmp_path / "preset" / name).keys() == {
            key for key, file in index.items() if file == name
        }


def test_token_ids_are_those_of_the_original_tokenizer(tmp_path: Path) -> None:
    write_preset(write_gguf(tmp_path / "a.gguf"), tmp_path / "preset")
    original = SentencePieceProcessor(model_proto=tokenizer_bytes())
    tokenizer = Tokenizer.of_preset(tmp_path / "preset")
    for text in TEXTS:
        assert tokenizer.encode(text) == original.encode(text), text
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(CHAT.start_of_turn)) == 1
    assert (tokenizer.pad_id, tokenizer.stop_ids[0], tokenizer.bos_id) == (0, 1, 2)


def test_the_configuration_is_complete(tmp_path: Path) -> None:
    write_preset(write_gguf(tmp_path / "a.gguf"), tmp_path / "preset")
    config = json.loads((tmp_path / "preset/config.json").read_text(encoding="utf-8"))
    assert config["rope_theta"] == 1e6 and config["rope_local_base_freq"] == 1e4
    assert config["query_pre_attn_scalar"] == SHAPE.head_dim
    assert config["layer_types"] == ["sliding_attention"] * SHAPE.layers
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (2, 1, 0)
    assert config["rms_norm_eps"] == pytest.approx(1e-6)


def test_soft_caps_of_gemma_2_come_from_the_file(tmp_path: Path) -> None:
    shape = SHAPES["gemma2"]
    caps = {"attn_logit_softcapping": 40.0, "final_logit_softcapping": 20.0}
    write_preset(write_gguf(tmp_path / "a.gguf", shape=shape, metadata=caps), tmp_path / "stored")
    write_preset(write_gguf(tmp_path / "b.gguf", shape=shape), tmp_path / "assumed")
    found = [read_json(tmp_path / name / "config.json") for name in ("stored", "assumed")]
    assert [(each["attn_logit_softcapping"], each["final_logit_softcapping"]) for each in found] == [
        (40.0, 20.0),
        (50.0, 30.0),
    ]
    assert found[0]["layer_types"] == ["sliding_attention", "full_attention"]


def test_every_sixth_layer_sees_the_whole_context() -> None:
    metadata = {
        "gemma3.block_count": 18,
        "gemma3.embedding_length": 640,
        "gemma3.feed_forward_length": 2048,
        "gemma3.attention.head_count": 4,
        "gemma3.attention.head_count_kv": 1,
        "gemma3.attention.key_length": 256,
        "gemma3.attention.layer_norm_rms_epsilon": 1e-6,
        "gemma3.attention.sliding_window": 512,
        "gemma3.context_length": 32768,
        "gemma3.rope.freq_base": 1e6,
        "gemma3.rope.scaling.factor": 8.0,
    }
    form = FAMILIES["gemma3"].gguf
    assert form is not None
    config = form.config(Path("a.gguf"), metadata)
    full = [index for index, kind in enumerate(config["layer_types"]) if kind == "full_attention"]
    assert full == [5, 11, 17]
    assert config["rope_parameters"]["full_attention"]["factor"] == 8.0
    assert config["rope_parameters"]["sliding_attention"]["factor"] == 1.0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another architecture": (
        {"architecture": "llama"},
        "general.architecture is 'llama', expected 'gemma' or 'gemma2' or 'gemma3'",
    ),
    "a refused family": (
        {"architecture": "gemma3n"},
        "Gemma 3n is not supported; use Gemma 4 E2B, kaggle://",
    ),
    "a vision tower": ({"architecture": "clip"}, "a vision tower without its text model"),
    "a missing key": ({"metadata": {"block_count": None}}, "gemma3.block_count is None, expected a positive"),
    "a missing tensor": (
        {"without": hugging_face_name("decoder_block_1.up")},
        "lacks blk.1.ffn_up.weight; download it again",
    ),
    "an unknown tensor": (
        {"extra": {"blk.0.attn_q.bias": np.zeros(4, np.float32)}},
        "has blk.0.attn_q.bias, which gemma3 does not",
    ),
    "a separate head": (
        {"extra": {"output.weight": np.zeros((4, 16), np.float32)}},
        "use a model with a tied",
    ),
    "more layers than tensors": ({"metadata": {"block_count": 3}}, r"lacks blk.2.\w+.weight \(12 more such"),
    "another width": (
        {"metadata": {"feed_forward_length": 48}},
        r"has shape \(32, 16\), its metadata requires",
    ),
    "another tokenizer": ({"tokenizer": {"model": "gpt2"}}, "tokenizer.ggml.model is 'gpt2'; Gemma has a"),
    "fewer scores": ({"tokenizer": {"scores": [0.0] * 7}}, "not lists of the same length"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_file_is_refused(tmp_path: Path, case: str) -> None:
    options, message = REFUSED[case]
    path = write_gguf(tmp_path / "a.gguf", **options)
    with pytest.raises(InputError, match=message) as error:
        write_preset(path, tmp_path / "preset")
    assert str(path) in str(error.value)
    assert not (tmp_path / "preset").exists()


def test_nan_is_refused(tmp_path: Path) -> None:
    weights = random_weights()
    weights[hugging_face_name("decoder_block_0.gate")][3, 3] = np.nan
    with pytest.raises(InputError, match=r"tensor blk\.0\.ffn_gate\.weight contains NaN"):
        write_preset(write_gguf(tmp_path / "a.gguf", weights), tmp_path / "preset")
