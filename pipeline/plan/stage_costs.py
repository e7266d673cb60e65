"""Memory and disk of the stages after training, from the shape of the model.

Each stage holds one model at a time. The constants are fitted to what the stages take for the demo, a Gemma 3
270M and the shape of a 1B (docs/measurements.md, "Plan and measurement").
"""

from dataclasses import dataclass

from pipeline.families.family import GemmaShape
from pipeline.plan.training_memory import FLOAT32
from pipeline.quantization.schemes import Scheme
from pipeline.quantization.size import weight_bytes

STAGE = 1_820_000_000
"""Bytes of a stage's process without a model."""

MERGE_COPIES = 2.57
"""Peak of a merge beyond STAGE and the compared logits / the weights in float32."""

COMPARED = 8 * 544
"""Bytes of the compared logits for each token of the vocabulary: 544 positions in float64."""

CONVERT_COPIES, CONVERT_COPIES_OUTSIDE = 2.42, 0.84
"""Peak of the converter beyond STAGE / the weights in float32; the second where these are at least LARGE."""

LARGE = 1 << 31
"""Bytes. A flatbuffer of this size or more keeps its weights outside."""

VERIFY, VERIFY_COPIES = 2_200_000_000, 3.33
"""Bytes of the check without a model, which has the runtime in its process; its peak beyond them / the
weights in float32."""

APP = 14_000_000
"""Bytes of the app without a model."""


@dataclass(frozen=True)
class StageCost:
    """Bytes that a stage takes.

    Attributes:
        memory: at its peak; None: unknown.
        disk: of its result.
    """

    memory: int | None
    disk: int


def stage_costs(shape: GemmaShape, scheme: Scheme, tokenizer: int, models: int = 1) -> dict[str, StageCost]:
    """What the stages from merge to bundle take, by name.

    Args:
        shape: of the model.
        scheme: bits and blocks of the converted matrices.
        tokenizer: bytes of its tokenizer file.
        models: how many are converted: the base may be another one.
    """
    floats = FLOAT32 * shape.parameters
    model = models * (weight_bytes(shape, scheme) + tokenizer)
    convert = CONVERT_COPIES_OUTSIDE if floats >= LARGE else CONVERT_COPIES
    return {
        "merge": StageCost(round(STAGE + MERGE_COPIES * floats + COMPARED * shape.vocabulary), 2 * floats),
        "convert": StageCost(round(STAGE + convert * floats), model),
        "verify": StageCost(round(VERIFY + VERIFY_COPIES * floats), 0),
        "bundle": StageCost(None, model + APP),
    }
