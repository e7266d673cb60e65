"""Promise: a file that a recipe names and that is not there is found before anything is downloaded or
trained."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.recipe import files
from pipeline.recipe.files import check_files
from pipeline.recipe.schema import Config

ADVICE = "no such file or folder; check the data section of the recipe"


def config(folder: Path, **data: str) -> Config:
    data = {key: str(folder / name) for key, name in data.items()}
    bundle = {"adapters": [str(folder / "poet.tflite")]}
    return Config.model_validate(
        {
            "name": "t",
            "data": data,
            "finetune": {"targets": ["query"]},
            "convert": {"adapters": "runtime"},
            "bundle": bundle,
        }
    )


def test_all_missing_files_are_named_with_their_keys(tmp_path: Path) -> None:
    (tmp_path / "here.jsonl").touch()
    recipe = config(tmp_path, train="gone.jsonl", validation="here.jsonl", test="none.csv")
    with pytest.raises(InputError) as caught:
        check_files(recipe, "finetune")
    assert str(caught.value).splitlines() == [
        f"data.test: {tmp_path / 'none.csv'}: {ADVICE}",
        f"data.train: {tmp_path / 'gone.jsonl'}: {ADVICE}",
    ]


def test_only_files_that_a_stage_will_read_are_looked_for(tmp_path: Path) -> None:
    check_files(config(tmp_path, train="gone.jsonl"), "download")
    (tmp_path / "here.jsonl").touch()
    recipe = config(tmp_path, train="here.jsonl")
    check_files(recipe, "verify")
    with pytest.raises(InputError, match=r"bundle\.adapters: .*poet\.tflite: no such file"):
        check_files(recipe, "deploy")


def test_folders_patterns_and_data_sets_on_a_hub_are_no_missing_files(tmp_path: Path) -> None:
    (tmp_path / "part-1.jsonl").touch()

    def recipe(train: str) -> Config:
        return Config.model_validate({"name": "t", "data": {"train": train}})

    for train in (str(tmp_path), f"{tmp_path}/part-*.jsonl", "hf://datasets/owner/name"):
        check_files(recipe(train), "finetune")
    for train, message in (("s3://x/y", "unknown address"), (f"{tmp_path}/shard-*.csv", "matches no file")):
        with pytest.raises(InputError, match=f"data.train: .*{message}"):
            check_files(recipe(train), "finetune")


def test_a_file_behind_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(sources: list[str], split: str) -> None:
        raise PermissionError(13, "Permission denied", sources[0])

    monkeypatch.setattr(files, "find_files", closed)
    path = tmp_path / "train.jsonl"
    with pytest.raises(InputError) as caught:
        check_files(config(tmp_path, train="train.jsonl"), "prepare")
    assert str(caught.value) == (
        f"data.train: {path}: cannot be read: Permission denied; check its permissions"
    )


def test_an_adapter_to_start_from_is_looked_for_before_the_first_stage(tmp_path: Path) -> None:
    (tmp_path / "here.jsonl").touch()
    for start, what in (
        ("gone.safetensors", "No such file"),
        ("here.jsonl", "not a safetensors file"),
        (".", "no adapter in this folder"),
    ):
        recipe = Config.model_validate(
            {
                "name": "t",
                "data": {"train": str(tmp_path / "here.jsonl")},
                "finetune": {"start": str(tmp_path / start)},
            }
        )
        check_files(recipe, "prepare")
        with pytest.raises(InputError, match=rf"finetune\.start: {tmp_path}.*{what}"):
            check_files(recipe, "finetune")
