"""Converted models, each made once for a whole test run: a conversion takes half a minute."""

from pathlib import Path

import pytest

from tests.support.tiny_gemma import SPEC, Reference, converted, tiny_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma in a Hugging Face folder."""
    return tiny_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, converted without loss."""
    return converted(tmp_path_factory, SPEC)


@pytest.fixture(scope="session")
def reference(folder: Path) -> Reference:
    """What transformers says of it."""
    return Reference(folder)
