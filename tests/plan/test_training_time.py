"""Promise: times are those of all steps, from a measurement or from named rates."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.plan.machines import MACHINES, SHARES
from pipeline.plan.operations import full_operations, lora_operations
from pipeline.plan.training_time import (
    FORWARD,
    GENERAL_TEXT,
    for_all_layers,
    measured_layers,
    measured_time,
    time_on,
)
from tests.plan.workloads import workload
from tests.support.finished_run import DEMO


def test_a_line_through_two_measurements() -> None:
    assert for_all_layers({2: 1.0, 6: 3.0}, 26) == pytest.approx(13.0)
    assert for_all_layers({6: 3.0}, 6) == 3.0
    assert for_all_layers({2: 1.1, 6: 1.0}, 26) == 1.0  # noise: more layers are not faster


@pytest.mark.parametrize(
    ("layers", "expected"), [(1, [1]), (2, [2]), (6, [2, 4]), (26, [2, 6]), (62, [2, 16])]
)
def test_a_part_of_the_layers_is_measured(layers: int, expected: list[int]) -> None:
    assert measured_layers(layers) == expected


def test_a_named_machine_at_its_rate() -> None:
    work = replace(workload(), validation=0)
    found = time_on(MACHINES["l4"], replace(work, dtype="bfloat16"))
    epoch = lora_operations(work.shape, work.settings.rank, work.tokens, work.responses)
    low, high = SHARES
    in_all = 3 * epoch + 2 * GENERAL_TEXT * FORWARD * epoch / work.tokens
    assert found.seconds == pytest.approx((in_all / (high * 121e12), in_all / (low * 121e12)))
    assert found.tokens_per_second[0] < found.tokens_per_second[1]


def test_a_machine_without_bfloat16_computes_in_float32() -> None:
    work = workload()
    in_bfloat16 = time_on(MACHINES["t4"], replace(work, dtype="bfloat16"))
    assert in_bfloat16.seconds == time_on(MACHINES["t4"], work).seconds


def test_training_every_weight_takes_more() -> None:
    work = workload()
    plain = lora_operations(work.shape, 4, work.tokens, work.responses)
    assert 1.2 * plain < full_operations(work.shape, work.tokens, work.responses) < 1.6 * plain


def test_frozen_matrices_and_layers_computed_twice() -> None:
    work, machine = workload(), MACHINES["a100"]
    lora, norms, twice = (
        time_on(machine, replace(work, **changes)).seconds[0]
        for changes in ({}, {"method": "norms"}, {"rematerialize": True})
    )
    assert norms < lora < twice


def test_validation_counts() -> None:
    work = workload()
    machine = MACHINES["a100"]
    assert time_on(machine, work).seconds[0] > time_on(machine, replace(work, validation=0)).seconds[0]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"micro_batch_size": 2, "rematerialize": True}, {"method": "norms"}])
def test_this_machine_is_measured(changes: dict[str, Any]) -> None:
    work = workload(lengths=np.array([12, 14, 16, 18]), epochs=1, **changes)
    found = measured_time(DEMO / "base", work, "torch")
    assert 0 < found.seconds[0] == found.seconds[1] < 600
    assert found.tokens_per_second[0] > 0
    assert found.basis == "measured on this machine"
