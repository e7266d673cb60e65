"""The memory of a training in words, for the plan and for the first lines of a training."""

from collections.abc import Iterator

from pipeline.plan.advice import advice
from pipeline.plan.training_memory import TrainingMemory, parts, training_memory
from pipeline.plan.workload import Workload

PART_NAMES = {
    "program": "Python and its libraries",
    "weights": "weights of the base",
    "trained": "adapter, gradients and optimizer",
    "activations": "activations",
    "working": "loss and backward pass",
    "heap": "free blocks between tensors",
    "loading": "loading the base",
}


def named_parts(memory: TrainingMemory) -> dict[str, int]:
    """The parts of the peak by what they are called."""
    return {PART_NAMES[name]: size for name, size in parts(memory).items()}


SMALL = 50_000_000
"""Bytes. Parts with fewer would be 0.0 GB."""


def gigabytes(size: int) -> str:
    """A size, as in 0.4 GB."""
    return f"{size / 1e9:.1f} GB"


def before_training(work: Workload, available: int | None, *, accelerator: bool) -> Iterator[str]:
    """Lines about the memory of a training that starts.

    Args:
        work: what is trained.
        available: bytes of memory; None: unknown.
        accelerator: whether it trains on a GPU or a TPU.
    """
    memory = training_memory(work, accelerator=accelerator)
    listed = ", ".join(
        f"{name} {gigabytes(size)}" for name, size in named_parts(memory).items() if size >= SMALL
    )
    yield f"expects a peak memory of about {gigabytes(memory.total)}: {listed}"
    if available is not None and memory.total > available:
        yield f"warning: only {gigabytes(available)} are free; this may run out of memory"
        yield from ways_out(work, available, accelerator=accelerator)


def ways_out(work: Workload, available: int, *, accelerator: bool) -> Iterator[str]:
    """What to change where a training does not fit, a line each."""
    found = advice(work, available, accelerator=accelerator)
    for each in found:
        options = " ".join(f"--set {setting}" for setting in each.settings)
        yield f"with {options}: {gigabytes(each.memory)}"
    if not found:
        yield "no setting is enough: choose a smaller Gemma or another machine"
