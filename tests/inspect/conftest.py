"""The tiny Gemma of the other rooms' tests, converted once for a whole test run."""

from pathlib import Path

import pytest

from tests.support.tiny_gemma import SPEC, converted, tiny_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma in a Hugging Face folder."""
    return tiny_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, converted without loss."""
    return converted(tmp_path_factory, SPEC)
