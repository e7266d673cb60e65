"""A training whose loss explodes is stopped; one whose loss is only noisy is not."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.examples import Example
from pipeline.data.tokenize import EncodedExamples, encode
from pipeline.errors import PocketGemmaError
from pipeline.families.chat import Role
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.checkpoints import Checkpoints
from pipeline.tuning.divergence import SUSTAINED, LossWatch
from pipeline.tuning.loop import fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from tests.tuning.conftest import SETTINGS

STEPS = 1000
LEVEL = 0.05 + 2 * np.exp(-np.arange(STEPS) / 200)
"""An ordinary course of the loss, in nats."""

Losses = NDArray[np.float64]


def stopped_at(losses: Losses, untrained: float) -> int | None:
    """The step that stops training."""
    watch = LossWatch(untrained)
    for step, loss in enumerate(losses.tolist(), start=1):
        watch.add(loss)
        if watch.diverged:
            return step
    return None


def noisy(kind: str, random: np.random.Generator) -> tuple[Losses, float]:
    """An ordinary training with noise, and its loss before training."""
    if kind == "single examples":
        return LEVEL * random.lognormal(-0.5, 1, STEPS), 2.05
    if kind == "short examples are hard":  # so the mean over tokens is far below that over examples
        return LEVEL / 2 * random.choice([0.5, 5.0], STEPS), 0.7
    if kind == "outliers":
        return LEVEL * np.where(random.random(STEPS) < 0.05, 20, 1) * random.lognormal(0, 0.5, STEPS), 2.0
    if kind == "other validation examples":
        return 4 * LEVEL + random.normal(0, 0.3, STEPS), 0.3
    return LEVEL * (1 + np.abs(random.standard_t(2, STEPS))), 2.0


@pytest.mark.parametrize(
    "kind",
    ["single examples", "short examples are hard", "outliers", "other validation examples", "long tail"],
)
def test_noise_is_no_divergence(kind: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        losses, untrained = noisy(kind, random)
        assert losses.max() > 2 * untrained
        assert stopped_at(losses, untrained) is None


@pytest.mark.parametrize("good", [1, 5, 200])
@pytest.mark.parametrize("exploded", [20.0, 300.0])
def test_an_explosion_is_found_soon(good: int, exploded: float) -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        losses = LEVEL * random.lognormal(0, 0.3, STEPS)
        losses[good:] = exploded * random.lognormal(0, 0.3, STEPS - good)
        found = stopped_at(losses, 2.05)
        assert found is not None and good + SUSTAINED <= found < good + 3 * SUSTAINED


def test_a_slow_rise_is_found_too() -> None:
    losses = np.linspace(1, 40, STEPS) + np.random.default_rng(2).normal(0, 0.2, STEPS)
    found = stopped_at(losses, 1.0)
    assert found is not None and losses[found - 1] < 5


def test_a_short_burst_is_none() -> None:
    losses = np.ones(STEPS)
    losses[100 : 100 + SUSTAINED - 1] = 50
    assert stopped_at(losses, 1.0) is None
    losses[100 + SUSTAINED - 1] = 50
    assert stopped_at(losses, 1.0) == 100 + SUSTAINED


def test_a_watch_continues_from_its_state() -> None:
    losses = np.concatenate([LEVEL[:40], np.full(SUSTAINED, 60.0)]).tolist()
    whole = LossWatch(2.0)
    for loss in losses[:45]:
        whole.add(loss)
    continued = LossWatch(2.0)
    continued.restore(json.loads(json.dumps(whole.state())))
    for loss in losses[45:]:
        assert not continued.diverged
        for watch in (whole, continued):
            watch.add(loss)
        assert continued.state() == whole.state()
    assert continued.diverged


def explode(
    base: Path, examples: EncodedExamples, folder: Path, checkpoints: Checkpoints | None, **settings: Any
) -> str:
    """The message of a training that diverges."""
    import keras

    keras.utils.set_random_seed(0)
    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(4, 4.0, ("query", "value", "up", "down")))
    chosen = replace(SETTINGS, epochs=9, batch_size=1, patience=9, **settings)
    with pytest.raises(PocketGemmaError, match="training diverged: in each of the steps") as caught:
        fit(backbone, examples, examples, chosen, FinetuneFiles(folder), checkpoints)
    return str(caught.value)


@pytest.mark.slow
def test_a_learning_rate_that_is_far_too_high_stops_within_few_steps(base: Path, tmp_path: Path) -> None:
    """On questions that the base can answer."""
    lines = (base.parent / "science" / "replay.jsonl").read_text(encoding="utf-8").splitlines()[:24]
    turns: tuple[Role, Role] = ("user", "assistant")
    known = [
        Example(
            tuple(
                {"role": role, "content": json.loads(line)[key]}
                for role, key in zip(turns, ("prompt", "response"), strict=True)
            )
        )
        for line in lines
    ]
    message = explode(base, encode(known, Tokenizer.of_preset(base)), tmp_path, None, learning_rate=10.0)
    found = re.search(r"steps (\d+) to (\d+), the loss exceeded ([\d.]+); in the last one", message)
    assert found, message
    first, last, limit = int(found[1]), int(found[2]), float(found[3])
    assert last == first + SUSTAINED - 1 <= 3 * SUSTAINED
    before = re.search(r"before training ([\d.]+); lower finetune.learning_rate \(10\)", message)
    assert before and limit > 2 * float(before[1])
    assert message.endswith("training then starts over")


@pytest.mark.slow
def test_the_last_good_checkpoint_is_kept(
    base: Path, examples: EncodedExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is due after every step, and an epoch ends between the high losses."""
    import keras

    good, steps = 8, len(examples)
    assert good < steps < good + SUSTAINED

    def losses() -> Iterator[float]:
        yield from [1.0] * good
        while True:
            yield 90.0

    source = losses()
    monkeypatch.setattr(keras.Model, "train_on_batch", lambda *_, **__: {"loss": next(source)})
    checkpoints = Checkpoints(tmp_path / "checkpoints", "one", every=1)
    message = explode(base, examples, tmp_path, checkpoints)
    assert f"steps {good + 1} to {good + SUSTAINED}, the loss exceeded" in message
    assert message.endswith(f"it continues from {checkpoints.folder}, after step {good}")
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == [
        f"step-{step}.safetensors" for step in (good - 1, good)
    ]
    # The next run continues there, with what it knew of the losses, and diverges again.
    assert explode(base, examples, tmp_path, checkpoints) == message
    found = checkpoints.latest()
    assert found is not None and (found.step, found.facts["watch"]["_high"]) == (good, [])
