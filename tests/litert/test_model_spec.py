"""Promise: a spec becomes the metadata that the runtime reads, and only what it declares."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.model_spec import apply_spec
from pipeline.litert.runtime.engine import Runtime
from tests.support.tiny_gemma import SPEC


def test_a_base_for_runtime_adapters_declares_their_rank_and_its_digest() -> None:
    entries = {"Authors": "PocketGemma", "description": "Grüße from a test", "recipe": "fp32"}
    assert SPEC.system_metadata == entries
    adapters = {"lora_rank": "16", "base_digest": "ba5e"}
    assert replace(SPEC, lora_rank=16, base_digest="ba5e").system_metadata == entries | adapters


@pytest.mark.slow
def test_greedy_can_be_the_models_own_sampler(model: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    greedy = tmp_path / "model.litertlm"
    apply_spec(model, greedy, tokenizer, replace(SPEC, temperature=0.0))
    question = "And what of silver?"
    with (
        Runtime(greedy) as runtime,
        runtime.chat(max_new_tokens=12) as chat,
        runtime.chat(greedy=True, max_new_tokens=12) as other,
    ):
        assert list(chat.stream(question)) == list(other.stream(question))
