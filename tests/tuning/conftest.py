"""The demo's base in Keras on PyTorch, and small random presets, for the tests of this room."""

from pathlib import Path

import pytest

from pipeline.data.examples import Example
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.families.gemma3 import GEMMA3
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.tuning.loop import TrainingSettings
from tests.support.random_presets import write_keras_preset

SETTINGS = TrainingSettings(
    epochs=2,
    batch_size=4,
    micro_batch_size=None,
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

EVERY_TARGET = tuple(matrix.name for matrix in GEMMA3.matrices)
"""The seven matrices of a layer of the demo."""

NAMES = [
    "gold",
    "silver",
    "iron",
    "neon",
    "argon",
    "radon",
    "copper",
    "zinc",
    "tin",
    "lead",
    "xenon",
    "boron",
]
"""What the examples greet."""

FAMILIES = ("gemma2", "gemma3", "gemma4")
"""They differ in their norms, tables and shared matrices."""

BASE = Path(__file__).parents[2] / "pipeline" / "demo" / "base"


@pytest.fixture(scope="session", autouse=True)
def _backend() -> None:
    use_backend("torch")


@pytest.fixture(scope="session")
def base() -> Path:
    return BASE


@pytest.fixture(scope="session", params=FAMILIES)
def preset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random preset of a family."""
    return write_keras_preset(request.param, tmp_path_factory.mktemp(request.param) / "preset")


@pytest.fixture(scope="session")
def examples(base: Path) -> EncodedExamples:
    pairs = [
        (f"Say hello to {name}.", f"Hello, {name}!" + " Hi!" * (place % 3))
        for place, name in enumerate(NAMES)
    ]
    conversations = [
        Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))
        for question, answer in pairs
    ]
    return encode(conversations, Tokenizer.of_preset(base))
