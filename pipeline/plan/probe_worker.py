"""Measures training steps of a model with few layers and random weights, in a process of its own."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.tokenize import EncodedExample, EncodedExamples
from pipeline.gemma.causal_lm import use_backend
from pipeline.gemma.random_backbone import random_backbone
from pipeline.tuning.allocation import kept_memory, training_variables
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS

WARM_UP, MEASURED = 1, 2
"""Steps."""


@training_variables()
@kept_memory()
def main(path: Path) -> None:
    """Write the seconds of a step for each number of layers into the file that the request names."""
    request: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    use_backend(request["backend"])
    found = {str(layers): seconds_of_a_step(request, layers) for layers in request["layers"]}
    Path(request["result"]).write_text(json.dumps(found), encoding="utf-8")


def seconds_of_a_step(request: dict[str, Any], layers: int) -> float:
    """The faster of the measured steps."""
    import keras

    from pipeline.tuning.fused_norms import fuse_norms
    from pipeline.tuning.loss import Batches, response_model
    from pipeline.tuning.optimizer import Schedule, adamw
    from pipeline.tuning.quantized_base import quantize_base
    from pipeline.tuning.rematerialization import rematerialize

    keras.utils.set_random_seed(0)
    settings = MethodSettings(**request["settings"] | {"targets": tuple(request["settings"]["targets"])})
    backbone = random_backbone(Path(request["preset"]), layers, request["dtype"])
    METHODS[request["method"]].attach(backbone, settings)
    if request["quantize_base"]:
        quantize_base(backbone, request["quantize_base"])
    if request["rematerialize"]:
        rematerialize(backbone)
    if request["backend"] == "torch":
        fuse_norms(backbone)
    parts = request["micro_batches"]
    batches = Batches(_examples(request), len(request["lengths"]), None, parts)
    model = response_model(backbone)
    model.compile(
        optimizer=adamw(
            model.trainable_variables,
            Schedule(1e-4, 0, 1.0),
            100,
            weight_decay=0.0,
            clip_norm=1.0,
            micro_batches=parts,
        ),
        jit_compile=request["backend"] != "torch",
    )
    ((step, _),) = batches.epoch(0)
    times = []
    for _ in range(WARM_UP + MEASURED):
        started = time.perf_counter()
        for part in step:
            model.train_on_batch(*part, return_dict=True)
        times.append(time.perf_counter() - started)
    return min(times[WARM_UP:])


def _examples(request: dict[str, Any]) -> EncodedExamples:
    """Random tokens in examples of the lengths that are asked for, each with its share of response tokens."""
    random = np.random.default_rng(0)
    examples = []
    for length in request["lengths"]:
        learned = np.zeros(length, np.bool_)
        learned[-max(1, round(length * request["response_share"])) :] = True
        tokens = random.integers(0, request["vocabulary"], length).astype(np.int32)
        examples.append(EncodedExample(tokens, learned))
    return EncodedExamples(tuple(examples), 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
