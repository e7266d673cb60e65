"""Promise: the command opens the model that was meant, and knows whether it remembers conversations."""

from pathlib import Path

import pytest

from pipeline.commands.chat.models import choose_model, converted_model
from pipeline.errors import InputError
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run


def converted(folder: Path, *, remembers: bool | None = None) -> Path:
    """A run folder with a model, and an app unless `remembers` is None."""
    with Run(folder) as run:
        with run.stage("convert", settings={}) as work:
            (work.folder / "model.litertlm").write_text("model")
        if remembers is not None:
            with run.stage("bundle", settings={"remembers_conversation": remembers}):
                pass
    return folder


def recipe(*, remembers: bool) -> Config:
    return Config.model_validate(
        {"name": "t", "data": {"train": "x"}, "bundle": {"remembers_conversation": remembers}}
    )


def test_a_run_folder_provides_its_model_and_its_separate_adapter(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        with pytest.raises(InputError, match="no result of convert yet; run: pocketgemma convert"):
            converted_model(run)
        with run.stage("convert", settings={}) as work:
            (work.folder / "model.litertlm").write_text("model")
        assert converted_model(run) == (tmp_path / "convert/model.litertlm", [])
        with run.stage("convert", settings={"adapters": "runtime"}) as work:
            (work.folder / "adapter.tflite").write_text("adapter")
        assert converted_model(run)[1] == [tmp_path / "convert/adapter.tflite"]


@pytest.mark.parametrize("remembers", [True, False])
def test_the_recipe_says_whether_a_model_remembers(tmp_path: Path, remembers: bool) -> None:
    run = converted(tmp_path, remembers=not remembers)
    assert choose_model(None, run, recipe(remembers=remembers)).remembers_conversation is remembers


@pytest.mark.parametrize(("recorded", "expected"), [(None, True), (True, True), (False, False)])
def test_without_a_recipe_the_app_says_it(tmp_path: Path, recorded: bool | None, expected: bool) -> None:
    run = converted(tmp_path / "run", remembers=recorded)
    assert choose_model(None, run, None).remembers_conversation is expected
    assert choose_model(run / "convert/model.litertlm", None, None).remembers_conversation is expected


def test_a_file_from_elsewhere_remembers(tmp_path: Path) -> None:
    assert choose_model(tmp_path / "model.litertlm", None, None).remembers_conversation
