"""Promise: the methods that train weights of the base go through the stages as LoRA does: their size is known
and reserved before training, they are trained in float32, and merged bit for bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.families.registry import read_shape
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.run.space import reserved
from pipeline.stages import finetune, merge
from pipeline.tuning.load import load_adapter
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS
from tests.stages.test_finetune import run

__all__ = ["run"]

RATES = {"full": 1e-3, "norms": 0.02}
SIZES = {"full": "6.2 MB", "norms": "14.3 kB"}
WITH_METHOD = pytest.mark.parametrize("method", RATES)


def config(method: str, **finetune: Any) -> Config:
    settings = {"backend": "torch", "epochs": 1, "method": method, "learning_rate": RATES[method]} | finetune
    return Config.model_validate({"name": "t", "data": {"train": "x.jsonl"}, "finetune": settings})


@pytest.mark.slow
@WITH_METHOD
def test_they_are_trained_and_merged(
    run: Run, method: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []

    @contextmanager
    def noted(path: Path, size: int) -> Iterator[Any]:
        sizes.append(size)
        with reserved(path, size) as give_back:
            yield give_back

    monkeypatch.setattr(finetune, "reserved", noted)
    cost = METHODS[method].cost(read_shape(run.files.download.preset), MethodSettings(8, 8.0, ()))
    with Run(run.root) as opened:
        finetune.run(config(method), opened)
        details = opened.manifest("finetune").details
        path = opened.files.finetune.adapter
        adapter = load_adapter(path)
        merge.run(config(method), opened)
        proof = opened.manifest("merge").details
    assert adapter.method is METHODS[method]
    assert (
        cost.adapter_bytes < path.stat().st_size < sizes[0] == cost.adapter_bytes + finetune.ROOM_FOR_HISTORY
    )
    assert (details["trainable_parameters"], "alpha" in details) == (cost.parameters, False)
    assert (proof["changed"], proof["formula"]) == ("weights", "the trained W")
    assert (proof["matrices"], proof["largest_relative_deviation"]) == (len(adapter.tensors), 0)
    text = capsys.readouterr().out
    assert f"{method}: {cost.parameters:,} trainable parameters, adapter of {SIZES[method]}" in text
    assert f"{len(adapter.tensors)} weights equal the trained W within 0.0e+00" in text


@pytest.mark.slow
@WITH_METHOD
def test_weights_are_float32_where_products_are_bfloat16(run: Run, method: str) -> None:
    with Run(run.root) as opened:
        finetune.run(config(method, dtype="bfloat16"), opened)
        adapter = load_adapter(opened.files.finetune.adapter)
        assert opened.manifest("finetune").details["dtype"] == "bfloat16"
    # A bfloat16 is the upper half of a float32.
    assert all((tensor.view(np.uint32) & 0xFFFF).any() for tensor in adapter.tensors.values())
