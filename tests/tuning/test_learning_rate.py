"""Without a learning rate in the recipe, the first step lowers the loss alike at every rank and scaling."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.tuning.loss import Batches, response_model
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from pipeline.tuning.optimizer import Schedule, adamw
from tests.tuning.conftest import EVERY_TARGET

SETTINGS = [
    MethodSettings(rank, alpha, EVERY_TARGET, scaling=scaling)
    for rank, alpha, scaling in (
        (4, 4.0, CLASSIC),
        (16, 16.0, CLASSIC),
        (16, 32.0, CLASSIC),
        (32, 32.0, CLASSIC),
        (4, 16.0, RANK_STABILIZED),
        (32, 16.0, RANK_STABILIZED),
    )
]


def first_step(base: Path, examples: EncodedExamples, settings: MethodSettings, rate: float) -> float:
    """By how much the loss on all examples falls."""
    import keras

    keras.utils.set_random_seed(0)
    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, settings)
    model = response_model(backbone)
    variables = model.trainable_variables
    model.compile(optimizer=adamw(variables, Schedule(rate, 0, 1.0), 10, weight_decay=0.0, clip_norm=1.0))
    (part,), _ = next(Batches(examples, len(examples), None).epoch(0))
    return float(np.subtract(*(model.train_on_batch(*part, return_dict=True)["loss"] for _ in range(2))))


@pytest.mark.slow
def test_the_first_step_is_the_same_at_every_rank_and_scaling(base: Path, examples: EncodedExamples) -> None:
    falls = [first_step(base, examples, each, METHOD.learning_rate(each)) for each in SETTINGS]
    assert min(falls) > 0.01
    assert max(falls) < 1.5 * min(falls), falls
    same_rate = [first_step(base, examples, each, 4e-4) for each in (SETTINGS[0], SETTINGS[3])]
    assert same_rate[1] > 4 * same_rate[0]
