"""Promise: a training that is killed anywhere and started again gives the adapter, byte for byte, of one that
was never killed. One that is asked to stop finishes its step and writes a checkpoint."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.checkpoints import Checkpoints
from pipeline.tuning.loop import fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from tests.tuning.conftest import SETTINGS
from tests.tuning.killed_training import MICRO_BATCHES

KILLS = 10


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_training_that_is_killed_ten_times_loses_nothing(tmp_path: Path, method: str) -> None:
    command = [sys.executable, "-m", "tests.tuning.killed_training", str(tmp_path), str(KILLS), "1", method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout.splitlines()[-1])
    assert len(steps) == KILLS + 1
    # Only steps since the latest checkpoint are done again, three at most.
    assert MICRO_BATCHES <= sum(steps) <= MICRO_BATCHES + 2 * 3 * KILLS
    assert steps[-1] < MICRO_BATCHES
    whole, killed = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_ends_after_the_step(
    base: Path,
    examples: EncodedExamples,
    tmp_path: Path,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain, steps = keras.Model.train_on_batch, []

    def step(*args: Any, **kwargs: Any) -> Any:
        steps.append(1)
        if len(steps) == 2:
            os.kill(os.getpid(), number)
        return plain(*args, **kwargs)

    monkeypatch.setattr(keras.Model, "train_on_batch", step)
    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(2, 2.0, ("query",)))
    checkpoints = Checkpoints(tmp_path, "one")
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="continues after step 2"):
        fit(backbone, examples, examples, SETTINGS, FinetuneFiles(tmp_path), checkpoints)
    assert len(steps) == 2
    assert signal.getsignal(number) is before
    found = checkpoints.latest()
    assert found is not None and (found.epoch, found.step, found.steps) == (0, 2, 2)
    assert "stopping after this step" in capsys.readouterr().out
