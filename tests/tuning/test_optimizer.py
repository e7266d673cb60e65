"""LoRA+ multiplies the learning rate of B and nothing else, on every backend."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.run.files import FinetuneFiles
from pipeline.stages import finetune
from pipeline.tuning.loop import fit
from pipeline.tuning.loss import response_model
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from pipeline.tuning.optimizer import Schedule, adamw
from pipeline.tuning.training_state import read_state
from tests.tuning.conftest import SETTINGS
from tests.tuning.first_update import CASES, RATIO, first_update

A, B, MAGNITUDE = "lora_kernel_a", "lora_kernel_b", "lora_magnitude"


OTHERS = [pytest.param(backend, marks=pytest.mark.slow) for backend in ("jax", "tensorflow")]


def first_updates(backend: str) -> dict[str, dict[str, Any]]:
    """Of every case; on another backend than that of the tests in a process of its own."""
    if backend == "torch":
        return {case: first_update(case) for case in CASES}
    command = [sys.executable, "-m", "tests.tuning.first_update", backend]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


@pytest.mark.parametrize("backend", ["torch", *OTHERS])
def test_the_update_of_b_is_the_ratio_times_as_large_and_that_of_the_others_is_the_same(backend: str) -> None:
    found = {
        case: {name: np.array(update) for name, update in updates.items()}
        for case, updates in first_updates(backend).items()
    }
    for case in ("plain", "micro-batches", "decay", "DoRA"):
        plain, plus = found[case], found["ratio" if case == "plain" else f"{case}, ratio"]
        assert set(plain) == {A, B} | ({MAGNITUDE} if case == "DoRA" else set())
        for name, update in plain.items():
            assert np.abs(update).min() > 1e-3, (case, name)
            expected = update * (RATIO if name == B else 1)
            np.testing.assert_allclose(plus[name], expected, rtol=1e-3, atol=1e-6, err_msg=f"{case} {name}")
    np.testing.assert_allclose(found["micro-batches"][B], found["plain"][B], rtol=1e-3)
    assert np.abs(found["decay"][B] - found["plain"][B]).max() > 1e-3


def trained(base: Path, examples: EncodedExamples, folder: Path, ratio: float | None) -> Any:
    """An adapter after one step."""
    import keras

    folder.mkdir()
    keras.utils.set_random_seed(0)
    backbone = load_causal_lm(base).backbone
    attachment = METHOD.attach(backbone, MethodSettings(2, 2.0, ("query",)))
    settings = replace(SETTINGS, epochs=1, batch_size=len(examples), lora_plus_ratio=ratio)
    fit(backbone, examples, examples, settings, FinetuneFiles(folder))
    return METHOD.collect(attachment, "base").tensors


@pytest.mark.slow
def test_training_uses_the_ratio(base: Path, examples: EncodedExamples, tmp_path: Path) -> None:
    plain, plus = (trained(base, examples, tmp_path / str(ratio), ratio) for ratio in (None, 4.0))
    for name, tensor in plain.items():
        expected = tensor * (4 if name.endswith("b") else 1)
        np.testing.assert_allclose(plus[name], expected, rtol=1e-4, atol=1e-7)
    section = FinetuneSection(lora_plus_ratio=4.0)
    assert finetune._training_settings(section).lora_plus_ratio == 4.0


def test_a_checkpoint_holds_the_same_variables(base: Path) -> None:
    names = []
    for ratio in (None, 4.0):
        backbone = load_causal_lm(base).backbone
        METHOD.attach(backbone, MethodSettings(2, 2.0, ("query",)))
        model = response_model(backbone)
        schedule = Schedule(0.01, 0, 1.0)
        model.compile(
            optimizer=adamw(
                model.trainable_variables, schedule, 10, weight_decay=0.0, clip_norm=1.0, ratio=ratio
            )
        )
        names.append({name: value.shape for name, value in read_state(model).items()})
    assert names[0] == names[1]


def test_a_ratio_without_a_b_is_refused(base: Path) -> None:
    backbone = load_causal_lm(base).backbone
    with pytest.raises(InputError) as caught:
        adamw(
            backbone.trainable_variables,
            Schedule(0.01, 0, 1.0),
            10,
            weight_decay=0.0,
            clip_norm=1.0,
            ratio=4.0,
        )
    assert str(caught.value) == (
        "finetune.lora_plus_ratio: the tuning method trains no A and B; remove the key, or choose a "
        "finetune.method that does"
    )
