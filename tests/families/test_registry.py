"""Families are found by their files, and a preset's configuration decides which one it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.families.gemma3 import GEMMA3
from pipeline.families.registry import (
    DEFAULT_CHAT,
    FAMILIES,
    chat_of_template,
    read_family,
    read_shape,
    supported_families,
)

ROOM = Path(__file__).parents[2] / "pipeline" / "families"


def test_every_file_of_a_family_is_registered() -> None:
    files = {path.stem for path in ROOM.glob("*gemma*.py")}
    assert files == set(FAMILIES)


def test_no_two_families_claim_the_same_configuration() -> None:
    types = [name for family in FAMILIES.values() for name in family.model_types]
    assert len(types) == len(set(types))


def test_a_family_is_taken_or_refused_with_a_reason() -> None:
    assert GEMMA3 in supported_families()
    for family in FAMILIES.values():
        assert (family.refusal is None) == bool(family.presets), family
        assert {family.example, family.example_text} <= {*family.presets, ""}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_each_model_type_leads_to_its_family(tmp_path: Path, family: Any) -> None:
    for model_type in family.model_types:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
        assert read_family(tmp_path) is family


def test_a_configuration_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"model_type is 'bert', expected one of gemma, gemma2, gemma3"):
        read_shape(tmp_path)


def test_a_template_leads_to_its_chat_format() -> None:
    assert chat_of_template(GEMMA3.chat.template) is GEMMA3.chat
    assert chat_of_template("{{ somebody else's }}") is DEFAULT_CHAT
    assert chat_of_template(None) is DEFAULT_CHAT


@pytest.mark.parametrize("model_type", ["gemma3_text", "gemma3"])
def test_the_tokenizer_tells_functiongemma_from_gemma_3(tmp_path: Path, model_type: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    tokens = FAMILIES["functiongemma"].own_tokens
    (tmp_path / "tokenizer.model").write_bytes(" ".join(tokens[1:]).encode())
    assert read_family(tmp_path) is GEMMA3
    (tmp_path / "tokenizer.model").write_bytes(" ".join(tokens).encode())
    assert read_family(tmp_path) is FAMILIES["functiongemma"]
