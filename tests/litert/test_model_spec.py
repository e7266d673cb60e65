"""Promise: a spec becomes the metadata that the runtime reads, and only what it declares."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.families.terms import GEMMA_TERMS
from pipeline.formats.litertlm import ACTIVATION_TYPE, MODEL, read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.model_check import model_differences
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


def test_terms_of_the_weights_are_in_the_system_metadata() -> None:
    entries = replace(SPEC, terms=GEMMA_TERMS).system_metadata
    assert entries["license_name"] == "Gemma Terms of Use"
    assert entries["license_link"] == "https://ai.google.dev/gemma/terms"
    assert "ai.google.dev/gemma/terms" in entries["notice"]
    assert not {"license_name", "notice"} & SPEC.system_metadata.keys()


@pytest.mark.slow
def test_a_gpu_is_asked_for_float32(model: Path) -> None:
    container = read_container(model)
    assert container.section(MODEL).items[ACTIVATION_TYPE] == "fp32"


@pytest.mark.slow
def test_another_activation_type_or_lost_terms_are_differences(
    model: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    changed = tmp_path / "model.litertlm"
    rewrite(read_container(model), changed, items={MODEL: {ACTIVATION_TYPE: "fp16"}})
    (found,) = model_differences(changed, tokenizer, SPEC, None)
    assert found == "prefer_activation_type is fp16, expected fp32"
    missing = model_differences(model, tokenizer, replace(SPEC, terms=GEMMA_TERMS), None)
    assert len(missing) == 3 and "license_name in the metadata is None" in missing[0]
