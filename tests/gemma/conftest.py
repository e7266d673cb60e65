"""The demo's base in Keras on PyTorch, for the tests of this room that load it."""

from pathlib import Path

import pytest

from pipeline.gemma.causal_lm import use_backend
from tests.gemma.folders import Weights
from tests.support.gguf_files import random_weights


@pytest.fixture(scope="session")
def base() -> Path:
    use_backend("torch")
    return Path(__file__).parents[2] / "pipeline" / "demo" / "base"


@pytest.fixture
def weights() -> Weights:
    return random_weights()
