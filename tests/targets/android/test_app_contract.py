"""The contract that the app's own tests read (app_contract.json) is what the pipeline writes, and it leaves nothing out."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from tests.tools.golden_contract import ADAPTERS, BASE_MODEL, CONTRACT, FULL, MODEL, contract, text


def test_the_committed_contract_is_what_the_pipeline_writes() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == text(), "run: python -m tests.tools.golden_contract"


@pytest.mark.parametrize("facts", [FULL, MODEL, BASE_MODEL, *ADAPTERS])
def test_no_field_of_the_full_manifest_has_its_default(facts: Any) -> None:
    unset = [field.name for field in fields(facts) if getattr(facts, field.name) == field.default]
    assert unset == []


def test_every_value_of_the_full_manifest_is_another() -> None:
    """So that a reader that takes a value from the wrong key is caught."""
    values = list(leaves(contract()["manifest"]))
    assert len(values) == len(set(values))


def leaves(document: Any) -> Iterator[Any]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from leaves(each)
    else:
        yield document
