"""Promise: an adapter is trained for the recipe that it will be stored by, and again when that changes; an
ordinary one is not."""

import shutil
from pathlib import Path

import pytest

from pipeline.data.examples import Example, write_examples
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import finetune
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter
from pipeline.tuning.methods.quantization_aware import trained_scales
from tests.support.finished_run import DEMO

NAMES = ("gold", "iron", "neon", "zinc", "tin", "lead", "xenon", "boron")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run folder as far as prepare."""
    examples = [
        Example(
            ({"role": "user", "content": f"Greet {name}."}, {"role": "assistant", "content": f"Hi, {name}!"})
        )
        for name in NAMES
    ]
    with Run(tmp_path) as run:
        with run.stage("download", settings={}) as work:
            shutil.copytree(DEMO / "base", work.folder / "preset")
        with run.stage("prepare", settings={}, after=("download",)) as work:
            for name in ("train", "validation"):
                write_examples(work.folder / f"{name}.jsonl", examples)
        return run


def train(run: Run, *, aware: bool, recipe: str) -> tuple[Adapter, int]:
    """The adapter, and when its file was written."""
    settings = {"backend": "torch", "rank": 2, "epochs": 1, "quantization_aware": aware}
    config = Config.model_validate(
        {"name": "t", "data": {"train": "x"}, "finetune": settings, "convert": {"recipe": recipe}}
    )
    with Run(run.root) as opened:
        finetune.run(config, opened)
        path = opened.folder("finetune") / "adapter.safetensors"
    return load_adapter(path), path.stat().st_mtime_ns


def test_an_adapter_for_one_recipe_is_not_taken_for_another(run: Run) -> None:
    adapter, written = train(run, aware=True, recipe="int4")
    assert adapter.settings["recipe"] == "int4"
    assert len(trained_scales(adapter)) == 43
    assert train(run, aware=True, recipe="int4")[1] == written
    again, later = train(run, aware=True, recipe="int4_embedding_int8")
    assert (again.settings["recipe"], later > written) == ("int4_embedding_int8", True)


def test_an_ordinary_adapter_is_good_for_every_recipe(run: Run) -> None:
    adapter, written = train(run, aware=False, recipe="int4")
    assert ("recipe" in adapter.settings, trained_scales(adapter)) == (False, {})
    assert train(run, aware=False, recipe="int8")[1] == written
