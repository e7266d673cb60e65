"""The demo's base in Keras on PyTorch, for the tests of this room that load it."""

from pathlib import Path

import pytest

from pipeline.gemma.causal_lm import use_backend


@pytest.fixture(scope="session")
def base() -> Path:
    use_backend("torch")
    return Path(__file__).parents[2] / "pipeline" / "demo" / "base"
