"""Promise: speed follows the bytes that are read, and float16 is widened in memory."""

import pytest

from pipeline.families.registry import read_shape
from pipeline.plan.phones import PHONES, on_phone
from pipeline.quantization.schemes import SCHEMES
from tests.support.finished_run import DEMO


def test_faster_phones_come_later_and_small_models_are_faster() -> None:
    speeds = [phone.speed(10**9) for phone in PHONES]
    assert speeds == sorted(speeds)
    assert PHONES[0].speed(10**8) == pytest.approx(10 * speeds[0])


def test_fp16_is_widened_in_memory() -> None:
    shape = read_shape(DEMO / "base")
    half, whole = (on_phone(shape, SCHEMES[name], 128, 16, 10_000) for name in ("fp16", "fp32"))
    assert half.memory - half.model > whole.memory - whole.model - shape.parameters * 4
    assert half.read < whole.read
