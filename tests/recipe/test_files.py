"""Promise: a file that a recipe names and that is not there is found before anything is downloaded or
trained."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.recipe.files import check_files
from pipeline.recipe.schema import Config


def config(folder: Path, **data: str) -> Config:
    data = {key: str(folder / name) for key, name in data.items()}
    bundle = {"adapters": [str(folder / "poet.tflite")]}
    return Config.model_validate(
        {"name": "t", "data": data, "convert": {"adapters": "runtime"}, "bundle": bundle}
    )


def test_all_missing_files_are_named_with_their_keys(tmp_path: Path) -> None:
    (tmp_path / "here.jsonl").touch()
    recipe = config(tmp_path, train="gone.jsonl", validation="here.jsonl", test="none.csv")
    with pytest.raises(InputError) as caught:
        check_files(recipe, "finetune")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'none.csv'}: no such file (data.test)",
        f"{tmp_path / 'gone.jsonl'}: no such file (data.train)",
    ]


def test_only_files_that_a_stage_will_read_are_looked_for(tmp_path: Path) -> None:
    check_files(config(tmp_path, train="gone.jsonl"), "download")
    (tmp_path / "here.jsonl").touch()
    recipe = config(tmp_path, train="here.jsonl")
    check_files(recipe, "verify")
    with pytest.raises(InputError, match=r"poet\.tflite: no such file \(bundle\.adapters\)"):
        check_files(recipe, "deploy")
