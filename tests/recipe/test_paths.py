"""Promise: what can be no path is refused with its key while the recipe is read."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.recipe.keys import PATHS
from pipeline.recipe.paths import resolve
from pipeline.recipe.reading import load_config
from tests.support.recipes import SMALL, recipe, refused

UNUSABLE = [
    ("", "expected a path, got ''; name a file or folder, or remove the key"),
    (" ", "expected a path, got ' '; name a file or folder, or remove the key"),
    ("~nouser/x", "~nouser/x: no such user 'nouser'; for a name that begins with ~, write ./~nouser/x"),
    ("x" * 300, f"{'x' * 40}…: file name too long; shorten it"),
    ("x/" * 3000, f"{'x/' * 20}…: file name too long; shorten it"),
    ("a\0b", r"a path cannot contain a NUL character, got 'a\x00b'; remove it"),
    ("\ud800", r"invalid characters in the path '\ud800'; rename the file"),
]


@pytest.mark.parametrize("key", sorted(PATHS))
@pytest.mark.parametrize(("path", "message"), UNUSABLE)
def test_an_unusable_path_is_one_line(tmp_path: Path, key: str, path: str, message: str) -> None:
    section, _, name = key.partition(".")
    listed = key == "bundle.adapters"
    document: dict[str, Any] = {
        **SMALL,
        "finetune": {"targets": ["query"]},
        "convert": {"adapters": "runtime"},
    }
    document[section] = {**document.get(section, {}), name: [path] if listed else path}
    where = f"{key}.0" if listed else key
    assert refused(tmp_path, document) == f"{tmp_path / 'recipe.yaml'}: {where}: {message}"


@pytest.mark.parametrize(("path", "message"), UNUSABLE[:4])
def test_it_is_so_on_the_command_line_too(tmp_path: Path, path: str, message: str) -> None:
    said = refused(tmp_path, SMALL, f"data.train={path}")
    assert said == f"{tmp_path / 'recipe.yaml'}: data.train: {message.replace(repr(' '), repr(''))}"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    said = refused(tmp_path, SMALL | {"data": {"train": "a"}})
    assert said.endswith("data.train: a: contains a symbolic link loop; fix the links")


def test_a_name_that_begins_with_a_tilde_can_be_written(tmp_path: Path) -> None:
    assert resolve("./~notes.jsonl", tmp_path) == str(tmp_path.resolve() / "~notes.jsonl")


def test_a_list_is_taken_and_an_empty_entry_in_it_is_not(tmp_path: Path) -> None:
    said = refused(tmp_path, SMALL | {"data": {"train": ["a", ""]}})
    assert said.startswith(f"{recipe(tmp_path, SMALL)}: data.train.1: expected a path, got ''")


def test_the_name_of_a_preset_is_its_address_unless_a_folder_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path, {**SMALL, "model": {"preset": "gemma3_270m"}})
    assert load_config(path).model.preset == "kaggle://keras/gemma3/keras/gemma3_270m"
    monkeypatch.chdir(tmp_path)
    demo = recipe(tmp_path, SMALL)
    assert load_config(demo, ["model.preset=gemma3_1b"]).model.preset.endswith("/keras/gemma3_1b")
    path = recipe(tmp_path, {**SMALL, "model": {"preset": "gemma3_270m"}})
    (tmp_path / "gemma3_270m").mkdir()
    assert load_config(path).model.preset == str(tmp_path / "gemma3_270m")
