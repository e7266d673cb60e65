"""Downloads that tests run."""

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import download

KAGGLE = "kaggle://keras/gemma3/keras/gemma3_instruct_270m"
HUGGING_FACE = "hf://google/gemma-3-270m-it"


def config(preset: str) -> Config:
    """A recipe with a preset."""
    return Config.model_validate(
        {"name": "test", "model": {"preset": preset}, "data": {"train": "train.jsonl"}}
    )


def refused(preset: str, run: Run, kind: type[PocketGemmaError] = InputError) -> str:
    """What a download says that fails."""
    with pytest.raises(kind) as caught:
        download.run(config(preset), run)
    assert not run.folder("download").exists()
    return str(caught.value)
