"""What to change in a recipe whose training does not fit into memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.errors import InputError
from pipeline.plan.training_memory import training_memory
from pipeline.plan.workload import Workload
from pipeline.tuning.quantized_base import BaseType, check_base


@dataclass(frozen=True)
class Advice:
    """A change of the recipe.

    Attributes:
        settings: as --set takes them.
        memory: bytes of training with them.
    """

    settings: tuple[str, ...]
    memory: int


Step = Callable[[Workload], tuple[str, Workload] | None]
"""A change that saves memory; None: it does not apply, or the recipe has it already."""


def _one_at_a_time(work: Workload) -> tuple[str, Workload] | None:
    if min(work.micro_batch_size or work.batch_size, len(work.lengths)) == 1:
        return None
    return "finetune.micro_batch_size=1", replace(work, micro_batch_size=1)


def _twice(work: Workload) -> tuple[str, Workload] | None:
    return None if work.rematerialize else ("finetune.rematerialize=true", replace(work, rematerialize=True))


def _bfloat16(work: Workload) -> tuple[str, Workload] | None:
    if work.dtype == "bfloat16":
        return None
    return "finetune.dtype=bfloat16", replace(work, dtype="bfloat16")


def _lora(work: Workload) -> tuple[str, Workload] | None:
    return None if work.method == "lora" else ("finetune.method=lora", replace(work, method="lora"))


def _integers(kind: BaseType) -> Step:
    def step(work: Workload) -> tuple[str, Workload] | None:
        if work.method != "lora" or work.quantize_base in (kind, "int4"):
            return None
        try:
            check_base(work.shape, kind)
        except InputError:
            return None
        return f"finetune.quantize_base={kind}", replace(work, quantize_base=kind)

    return step


STEPS: tuple[Step, ...] = (_one_at_a_time, _bfloat16, _twice, _lora, _integers("int8"), _integers("int4"))
"""In the order in which they cost little else: some speed, three digits, a third of the speed, another
method, and precision of the base."""


def advice(work: Workload, available: int, *, accelerator: bool) -> list[Advice]:
    """Changes with which training fits: each that is enough by itself; if none is, the first ones that are
    enough together; none, if all are not.

    Args:
        work: as the recipe has it.
        available: bytes of memory.
        accelerator: whether that is a GPU's or a TPU's.
    """

    def memory(changed: Workload) -> int:
        return training_memory(changed, accelerator=accelerator).total

    single = [
        Advice((setting,), memory(changed))
        for step in STEPS
        if (found := step(work))
        for setting, changed in (found,)
    ]
    enough = [each for each in single if each.memory <= available]
    if enough:
        return enough
    settings: tuple[str, ...] = ()
    for step in STEPS:
        found = step(work)
        if found and memory(found[1]) < memory(work):
            key = found[0].partition("=")[0]
            settings = (*(each for each in settings if not each.startswith(f"{key}=")), found[0])
            work = found[1]
            if memory(work) <= available:
                return [Advice(settings, memory(work))]
    return []
