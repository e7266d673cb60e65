"""Promise: a training that does not fit gets settings with which it does, and none that would not help."""

from dataclasses import replace

import pytest

from pipeline.plan.advice import advice
from pipeline.plan.training_memory import training_memory
from pipeline.plan.wording import before_training
from pipeline.plan.workload import Workload
from tests.plan.workloads import workload


def large() -> Workload:
    """A 4B in float32, in steps of sixteen long examples."""
    work = workload(batch_size=16, lengths=workload().lengths.repeat(4) * 8)
    shape = replace(work.shape, layers=34, hidden=2560, query_heads=8, kv_heads=4, head_dim=256)
    return replace(work, shape=replace(shape, ffn=10240, vocabulary=262144))


def long() -> Workload:
    """The same, with all that costs little else and examples so long that they take more than loading."""
    work = large()
    lengths = work.lengths * 24
    return replace(work, dtype="bfloat16", rematerialize=True, micro_batch_size=1, lengths=lengths)


def memory(work: Workload) -> int:
    return training_memory(work, accelerator=False).total


def test_each_advice_alone_is_enough_if_one_is() -> None:
    work = large()
    available = memory(work) - 1
    found = advice(work, available, accelerator=False)
    assert len(found) > 2
    assert all(len(each.settings) == 1 and each.memory <= available for each in found)


def test_several_together() -> None:
    work = large()
    available = 11 * 10**9
    (found,) = advice(work, available, accelerator=False)
    assert len(found.settings) > 1
    assert found.memory <= available


def test_the_settings_give_the_memory_that_is_said() -> None:
    work = large()
    by_setting = {each.settings: each.memory for each in advice(work, memory(work) - 1, accelerator=False)}
    assert by_setting[("finetune.dtype=bfloat16",)] == memory(replace(work, dtype="bfloat16"))
    assert by_setting[("finetune.micro_batch_size=1",)] == memory(replace(work, micro_batch_size=1))


def test_nothing_helps() -> None:
    assert advice(large(), 10**9, accelerator=False) == []


def test_what_the_recipe_has_is_not_advised() -> None:
    work = replace(large(), dtype="bfloat16", micro_batch_size=1)
    names = {
        setting for each in advice(work, memory(work) - 1, accelerator=False) for setting in each.settings
    }
    assert names and not names & {"finetune.dtype=bfloat16", "finetune.micro_batch_size=1"}


def test_smaller_integers_are_advised_where_others_are_not_enough() -> None:
    work = long()
    int4 = memory(replace(work, quantize_base="int4"))
    for base in (None, "int8"):
        (found,) = advice(replace(work, quantize_base=base), int4, accelerator=False)
        assert found.settings == ("finetune.quantize_base=int4",)


def test_another_method_and_integers_together() -> None:
    work = long()
    int4 = memory(replace(work, quantize_base="int4"))
    (found,) = advice(replace(work, method="dora"), int4, accelerator=False)
    assert found.settings == ("finetune.method=lora", "finetune.quantize_base=int4")


@pytest.mark.parametrize("available", [None, 10**12])
def test_a_training_that_fits_is_announced_in_one_line(available: int | None) -> None:
    (line,) = before_training(workload(), available, accelerator=False)
    assert line.startswith("expects a peak memory of about ")


def test_a_training_that_does_not_fit_is_announced_with_ways_out() -> None:
    lines = list(before_training(large(), 11 * 10**9, accelerator=False))
    assert lines[1] == "warning: only 11.0 GB are free; this may run out of memory"
    assert lines[2].startswith("with --set finetune.")
