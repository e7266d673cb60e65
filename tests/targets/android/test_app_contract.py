"""The contract that the app's tests read (app_contract.json) is what the pipeline writes, and it covers every
field."""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import pytest

from tests.tools.golden_contract import (
    ADAPTERS,
    BASE_MODEL,
    CONTRACT,
    FULL,
    MODEL,
    PROVENANCE,
    contract,
    text,
)


def test_the_committed_contract_is_what_the_pipeline_writes() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == text(), "run: python -m tests.tools.golden_contract"


@pytest.mark.parametrize("facts", [FULL, PROVENANCE, MODEL, BASE_MODEL, *ADAPTERS])
def test_no_field_of_the_full_manifest_has_its_default(facts: Any) -> None:
    unset = []
    for field in fields(facts):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if getattr(facts, field.name) == default:
            unset.append(field.name)
    assert unset == []


def test_the_values_of_the_full_manifest_are_distinct() -> None:
    """A reader that takes a value from the wrong key must fail the app's test."""
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
