"""The demo's base in Keras on PyTorch, for the tests of this room."""

from pathlib import Path

import pytest

from pipeline.gemma.causal_lm import use_backend
from pipeline.tuning.loop import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=2,
    batch_size=4,
    learning_rate=0.01,
    warmup_steps=20,
    final_learning_rate=0.02,
    weight_decay=0.0,
    clip_norm=1.0,
    monitor="loss",
    patience=3,
    seed=0,
)
"""A short training at a high learning rate."""

BASE = Path(__file__).parents[2] / "pipeline" / "demo" / "base"


@pytest.fixture(scope="session", autouse=True)
def _backend() -> None:
    use_backend("torch")


@pytest.fixture(scope="session")
def base() -> Path:
    return BASE
