"""The demo's base in Keras on PyTorch, for the tests of this room."""

from pathlib import Path

import pytest

from pipeline.gemma.causal_lm import use_backend

BASE = Path(__file__).parents[2] / "pipeline" / "demo" / "base"


@pytest.fixture(scope="session", autouse=True)
def _backend() -> None:
    use_backend("torch")


@pytest.fixture(scope="session")
def base() -> Path:
    return BASE
