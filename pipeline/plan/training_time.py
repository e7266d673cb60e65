"""How long training takes: measured on this machine with a part of the model, or from the highest rate of
another one."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.isolation import run_isolated
from pipeline.plan.machines import SHARES, Machine
from pipeline.plan.operations import full_operations, layer_operations, lora_operations
from pipeline.plan.workload import Workload

FORWARD = 1 / 3
"""Time of a forward pass / that of a training step. A gradient takes about as long again, and the projection
onto the vocabulary longer."""

GENERAL_TEXT = 1000
"""Tokens of the general text that is read before and after training."""

FEW_LAYERS, SHARE_OF_LAYERS = 2, 1 / 4
"""The probe measures a model with FEW_LAYERS and one with a share of all layers."""


@dataclass(frozen=True)
class Time:
    """How long training takes.

    Attributes:
        seconds: at least and at most; equal where it was measured.
        tokens_per_second: of the examples, at least and at most.
        basis: where the figures come from, in words.
    """

    seconds: tuple[float, float]
    tokens_per_second: tuple[float, float]
    basis: str


def operations(work: Workload) -> float:
    """Of an epoch."""
    again = layer_operations(work.shape, work.tokens) if work.rematerialize else 0.0
    if work.method == "full":
        return again + full_operations(work.shape, work.tokens, work.responses)
    rank = work.settings.rank if work.low_rank else 0
    return again + lora_operations(work.shape, rank, work.tokens, work.responses)


def time_on(machine: Machine, work: Workload) -> Time:
    """Training on a named machine; uses one of its chips."""
    epoch = operations(work)
    slow, fast = (epoch / (share * machine.rate(work.dtype)) for share in SHARES)
    low, high = SHARES
    basis = (
        f"assumes {100 * low:.0f} to {100 * high:.0f} % of its {machine.rate(work.dtype) / 1e12:.0f} TFLOPS"
    )
    return Time(
        seconds=(_whole(work, fast), _whole(work, slow)),
        tokens_per_second=(work.tokens / slow, work.tokens / fast),
        basis=basis,
    )


def measured_time(preset: Path, work: Workload, backend: str) -> Time:
    """Training on the processor of this machine, from a minute's measurement of a model with fewer layers.

    Args:
        preset: folder with config.json.
        work: what to train.
        backend: Keras's.

    Raises:
        PocketGemmaError: the measurement failed, such as for lack of memory.
    """
    rows = work.rows(accelerator=False)
    whole = min(work.batch_size, len(work.lengths))
    lengths = _typical(work, whole)
    with tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder:
        result = Path(folder, "result.json")
        request = {
            "preset": str(preset.resolve()),
            "backend": backend,
            "method": work.method,
            "settings": asdict(work.settings),
            "dtype": work.dtype if work.low_rank or work.dtype == "float32" else f"mixed_{work.dtype}",
            "quantize_base": work.quantize_base,
            "rematerialize": work.rematerialize,
            "lengths": lengths,
            "response_share": work.responses / work.tokens,
            "vocabulary": work.shape.vocabulary,
            "micro_batches": -(-whole // rows),
            "layers": measured_layers(work.shape.layers),
            "result": str(result),
        }
        run_isolated("pipeline.plan.probe_worker", request, Path(folder, "log"), "measuring training steps")
        found = {int(layers): seconds for layers, seconds in json.loads(result.read_text()).items()}
    step = for_all_layers(found, work.shape.layers)
    epoch = step * work.tokens / sum(lengths)
    speed = work.tokens / epoch
    return Time((_whole(work, epoch),) * 2, (speed, speed), "measured on this machine")


def measured_layers(layers: int) -> list[int]:
    """The numbers of layers to measure for a model with so many: one where there are few."""
    return sorted(
        {min(FEW_LAYERS, layers), min(layers, max(2 * FEW_LAYERS, round(layers * SHARE_OF_LAYERS)))}
    )


def for_all_layers(found: dict[int, float], layers: int) -> float:
    """Seconds of a step with all layers, on a line through the measured ones."""
    few, more = min(found), max(found)
    if few == more:
        return found[few]
    return found[more] + max(0.0, found[more] - found[few]) / (more - few) * (layers - more)


def _typical(work: Workload, rows: int) -> list[int]:
    """Lengths of a step that is like all: evenly spaced among the sorted lengths."""
    places = (np.arange(rows) + 0.5) / rows
    return [int(length) for length in np.quantile(work.lengths, places)]


def _whole(work: Workload, epoch: float) -> float:
    """Seconds of all epochs, with validation before the first and after each, and the general text."""
    read = (work.epochs + 1) * work.validation + 2 * GENERAL_TEXT
    return work.epochs * epoch + epoch * FORWARD * read / work.tokens
