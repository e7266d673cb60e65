"""Trainings to plan."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.families.registry import read_shape
from pipeline.plan.workload import Workload
from pipeline.tuning.method import MethodSettings
from tests.support.finished_run import DEMO
from tests.tuning.conftest import EVERY_TARGET


def workload(preset: Path = DEMO / "base", **changes: Any) -> Workload:
    """LoRA on every matrix, a step of four examples of 40 to 60 tokens."""
    values: dict[str, Any] = {
        "shape": read_shape(preset),
        "method": "lora",
        "settings": MethodSettings(4, 4.0, EVERY_TARGET),
        "dtype": "float32",
        "quantize_base": None,
        "rematerialize": False,
        "batch_size": 4,
        "micro_batch_size": None,
        "epochs": 3,
        "lengths": np.array([40, 45, 50, 60, 60, 60, 60, 60]),
        "responses": 80,
        "validation": 100,
    }
    return Workload(**values | changes)
