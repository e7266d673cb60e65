from pathlib import Path

import pytest

from pipeline.quantization.roundings import ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.reading import load_config
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO
from tests.support.recipes import SMALL, recipe

RECIPES = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")
    if not path.name.startswith("mine")
)
"""Without the copy that the README tells users to make."""


def test_there_are_included_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_included_recipe_is_valid_and_names_files_that_exist(path: Path) -> None:
    config = load_config(path)
    if config.model.preset == DEMO:
        for name in ("train", "validation", "test", "replay"):
            for file in getattr(config.data, name) or ():
                assert Path(file).is_file()


def test_recipes_have_names_of_their_own() -> None:
    names = [load_config(path).name for path in RECIPES]
    assert len(set(names)) == len(names)


def test_only_name_and_train_are_required(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    assert config.model.preset == DEMO
    assert config.convert.recipe == "int8"


def test_a_configuration_cannot_be_changed_by_a_stage(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    with pytest.raises(ValueError, match="frozen"):
        config.finetune.rank = 3  # type: ignore[misc]


def test_a_configuration_can_be_made_in_memory() -> None:
    assert Config.model_validate(SMALL).data.train == (str(Path("train.jsonl").resolve()),)


@pytest.mark.parametrize(("adapters", "carried"), [("merged", True), ("runtime", False)])
def test_the_base_is_a_separate_file_only_for_a_merged_model(
    tmp_path: Path, adapters: str, carried: bool
) -> None:
    document = SMALL | {"convert": {"adapters": adapters}, "bundle": {"base": True}}
    assert load_config(recipe(tmp_path, document)).carries_base == carried
    assert not load_config(recipe(tmp_path, SMALL)).carries_base


def test_the_recipe_offers_exactly_the_schemes_and_the_roundings() -> None:
    for names, key in ((SCHEMES, "recipe"), (ROUNDINGS, "rounding")):
        for name in names:
            found = Config.model_validate(SMALL | {"convert": {key: name}})
            assert getattr(found.convert, key) == name
        with pytest.raises(ValueError, match="not a known name"):
            Config.model_validate(SMALL | {"convert": {key: "other"}})
