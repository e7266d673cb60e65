"""The first update of the variables of one layer, on one of Keras's backends.

Usage: python -m tests.tuning.first_update BACKEND

Prints JSON: for each of CASES by name, the update of every trained variable by name, as a list of numbers.
"""

import json
import sys
from typing import Any

import numpy as np

from pipeline.gemma.causal_lm import use_backend
from pipeline.tuning.dora_forward import decompose_weights
from pipeline.tuning.lora_forward import compute_beside_kernel
from pipeline.tuning.optimizer import Schedule, adamw

RATIO, LEARNING_RATE, DECAY = 4.0, 0.01, 0.5

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "ratio": {"ratio": RATIO},
    "micro-batches": {"micro_batches": 2},
    "micro-batches, ratio": {"micro_batches": 2, "ratio": RATIO},
    "decay": {"weight_decay": DECAY},
    "decay, ratio": {"weight_decay": DECAY, "ratio": RATIO},
    "DoRA": {},
    "DoRA, ratio": {"ratio": RATIO},
}


def first_update(case: str) -> dict[str, list[float]]:
    """Train a layer of LoRA or DoRA for one step; B is not zero, so that A has a gradient."""
    import keras

    random, settings = np.random.default_rng(0), CASES[case]
    layer = keras.layers.Dense(3, use_bias=False)
    model = keras.Sequential([keras.Input((5,)), layer])
    layer.enable_lora(2)
    values = {
        variable.name: random.standard_normal(variable.shape).astype(np.float32) for variable in layer.weights
    }
    for variable in layer.weights:
        variable.assign(values[variable.name])
    if case.startswith("DoRA"):
        decompose_weights({"decoder_block_0.up": layer})
    else:
        compute_beside_kernel([layer])
    before = {each.name: np.array(keras.ops.convert_to_numpy(each)) for each in layer.trainable_variables}
    optimizer = adamw(
        model.trainable_variables,
        Schedule(LEARNING_RATE, 0, 1.0),
        10,
        **{"weight_decay": 0.0, "clip_norm": 1e6} | settings,
    )
    model.compile(optimizer=optimizer, loss="mse", jit_compile=keras.config.backend() != "torch")
    inputs, targets = random.standard_normal((4, 5)), random.standard_normal((4, 3))
    for _ in range(settings.get("micro_batches", 1)):
        model.train_on_batch(inputs.astype(np.float32), targets.astype(np.float32))
    return {
        each.name: (np.array(keras.ops.convert_to_numpy(each)) - before[each.name]).ravel().tolist()
        for each in layer.trainable_variables
    }


if __name__ == "__main__":
    use_backend(sys.argv[1])  # type: ignore[arg-type]
    print(json.dumps({case: first_update(case) for case in CASES}))
