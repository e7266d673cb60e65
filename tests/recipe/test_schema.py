from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.recipe.schema import DEMO, Config, load_config

RECIPES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def recipe(folder: Path, document: Any) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return path


def refused(folder: Path, document: Any, *overrides: str) -> str:
    path = recipe(folder, document)
    with pytest.raises(InputError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


SMALL = {"name": "small", "data": {"train": "train.jsonl"}}


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_recipe_that_ships_is_valid_and_names_files_that_are_there(path: Path) -> None:
    config = load_config(path)
    if config.model.preset == DEMO:
        for name in ("train", "validation", "test", "replay"):
            file = getattr(config.data, name)
            assert file is None or Path(file).is_file()


def test_recipes_have_names_of_their_own() -> None:
    names = [load_config(path).name for path in RECIPES]
    assert len(set(names)) == len(names)


def test_defaults_are_enough_but_for_name_and_train(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    assert config.model.preset == DEMO
    assert config.convert.recipe == "int8"


def test_relative_paths_are_taken_from_the_recipes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "name": "a",
        "model": {"preset": "../gemma"},
        "data": {"train": "x/train.jsonl", "test": "/abs/test.csv"},
    }
    path = recipe(tmp_path, document)
    monkeypatch.chdir("/")
    config = load_config(path)
    assert config.model.preset == str((tmp_path / "../gemma").resolve())
    assert config.data.train == str(tmp_path.resolve() / "x/train.jsonl")
    assert config.data.test == "/abs/test.csv"


@pytest.mark.parametrize(
    "preset", ["demo", "kaggle://keras/gemma3/keras/gemma3_270m", "hf://google/gemma-3-270m-it"]
)
def test_addresses_are_left_alone(tmp_path: Path, preset: str) -> None:
    assert load_config(recipe(tmp_path, SMALL | {"model": {"preset": preset}})).model.preset == preset


def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(recipe(tmp_path, {"name": "a", "data": {"train": "~/train.jsonl"}}))
    assert config.data.train == str(tmp_path.resolve() / "train.jsonl")


def test_overrides_are_read_as_yaml_and_the_last_one_wins(tmp_path: Path) -> None:
    path = recipe(tmp_path, SMALL)
    config = load_config(
        path,
        [
            "finetune.rank=16",
            "finetune.rank=32",
            "finetune.targets=[query, gate]",
            "bundle.title=Ask: science",
            "verify.min_accuracy=null",
            "model.preset=hf://a/b=c",
        ],
    )
    assert config.finetune.rank == 32
    assert config.finetune.targets == ("query", "gate")
    assert config.bundle.title == "Ask: science"
    assert config.verify.min_accuracy is None
    assert config.model.preset == "hf://a/b=c"


@pytest.mark.parametrize("value", ["./mine.jsonl", "mine.jsonl"])
def test_paths_in_overrides_are_taken_from_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = load_config(recipe(tmp_path, SMALL), [f"data.train={value}"])
    assert config.data.train == str((tmp_path / "here/mine.jsonl").resolve())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (SMALL | {"finetun": {}}, "finetun: unknown key; did you mean 'finetune'?"),
        (SMALL | {"finetune": {"ranks": 8}}, "finetune.ranks: unknown key; did you mean 'rank'?"),
        (SMALL | {"finetune": {"zzzzz": 8}}, "finetune.zzzzz: unknown key; known here: backend, dtype, rank"),
        (
            SMALL | {"finetune": {"rank": 0}},
            "finetune.rank: Input should be greater than or equal to 1, got 0",
        ),
        (SMALL | {"finetune": {"rank": "many"}}, "finetune.rank: Input should be a valid integer"),
        (
            SMALL | {"finetune": {"targets": ["query", "wq"]}},
            "finetune.targets.1: Input should be 'query', 'key'",
        ),
        (SMALL | {"finetune": {"targets": []}}, "finetune.targets: "),
        (SMALL | {"convert": {"recipe": "int2"}}, "convert.recipe: Input should be 'int8', 'int4'"),
        (
            SMALL | {"convert": {"prefill_lengths": [4096]}},
            "every prefill length must lie in 1..context_length (1280), got [4096]",
        ),
        (SMALL | {"data": {"train": 5}}, "data.train: "),
        (
            SMALL | {"data": {"train": "a", "replay_share": 1.0}},
            "data.replay_share: Input should be less than 1",
        ),
        ({"name": "small"}, "data: Field required"),
        ({"name": "small", "data": {}}, "data.train: Field required"),
        ({"data": {"train": "a"}}, "name: Field required"),
        (SMALL | {"name": "../escape"}, "name: String should match pattern"),
        (SMALL | {"finetune": None}, "finetune: "),
        ("- a\n- b\n", "expected sections such as 'model:' and 'data:', found list"),
        ("", "name: Field required"),
        ("name: [unclosed", "not YAML"),
        ("name: !!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_unusable_recipes_are_refused_with_file_and_key(tmp_path: Path, document: Any, message: str) -> None:
    said = refused(tmp_path, document)
    assert message in said
    assert said.startswith(str(tmp_path / "recipe.yaml"))


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, SMALL | {"finetune": {"rank": 0, "epochs": 0}, "convrt": {}})
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetune.rank", "expected key.path=value"),
        ("=5", "expected key.path=value"),
        ("finetune..rank=5", "expected key.path=value"),
        ("finetune.rank=[", "the value is not YAML"),
        ("name.rank=5", "name is not a section"),
        ("finetune.rnk=5", "finetune.rnk: unknown key; did you mean 'rank'?"),
        ("finetune=5", "finetune: Input should be a valid dictionary"),
    ],
)
def test_unusable_overrides_are_refused(tmp_path: Path, override: str, message: str) -> None:
    assert message in refused(tmp_path, SMALL, override)


def test_a_missing_recipe_says_where_the_others_lie(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recipe; the ones that ship lie in configs/"):
        load_config(tmp_path / "none.yaml")


def test_a_recipe_that_is_a_folder_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "bytes.yaml").write_bytes(b"name: caf\xe9")
    for name in ("folder.yaml", "bytes.yaml"):
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            load_config(tmp_path / name)


def test_a_configuration_cannot_be_changed_by_a_stage(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    with pytest.raises(ValueError, match="frozen"):
        config.finetune.rank = 3  # type: ignore[misc]


def test_a_configuration_is_made_in_memory_too() -> None:
    assert Config.model_validate(SMALL).data.train == str(Path("train.jsonl").resolve())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["convert.recipe=fp32", "convert.rounding=gptq"],
            "rounding gptq chooses integers, recipe fp32 has none",
        ),
        (["convert.recipe=int4", "convert.rounding=gptq", "convert.graft=false"], "it needs graft: true"),
        (
            ["finetune.targets=[query,up]", "convert.adapters=runtime"],
            "finetune.targets has up; leave them out",
        ),
        (["finetune.quantization_aware=true", "convert.recipe=fp16"], "an integer convert.recipe"),
        (
            ["finetune.quantization_aware=true", "convert.recipe=int4", "convert.rounding=gptq"],
            "got int4, gptq",
        ),
        (
            ["finetune.quantization_aware=true", "convert.adapters=runtime"],
            "it goes with convert.adapters: merged",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    assert message in refused(tmp_path, SMALL, *overrides)


def test_settings_that_go_together_are_taken(tmp_path: Path) -> None:
    path = recipe(tmp_path, SMALL)
    for overrides in (
        ["convert.recipe=int4", "convert.rounding=gptq"],
        ["convert.recipe=int4", "finetune.quantization_aware=true"],
        ["finetune.targets=[query,output]", "convert.adapters=runtime", "convert.recipe=fp32"],
    ):
        load_config(path, overrides)


def test_adapters_for_the_app_are_found_from_the_recipe_and_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = SMALL | {"convert": {"adapters": "runtime"}, "bundle": {"adapters": ["../poet.tflite"]}}
    path = recipe(tmp_path, document)
    assert load_config(path).bundle.adapters == (str((tmp_path / "../poet.tflite").resolve()),)
    monkeypatch.chdir("/")
    given = load_config(path, ["bundle.adapters=[clerk.tflite, /abs/judge.tflite]"])
    assert given.bundle.adapters == ("/clerk.tflite", "/abs/judge.tflite")


def test_adapters_for_the_app_need_a_base_that_takes_them(tmp_path: Path) -> None:
    said = refused(tmp_path, SMALL | {"bundle": {"adapters": ["poet.tflite"]}})
    assert "set convert.adapters: runtime, or leave them out" in said


@pytest.mark.parametrize(("adapters", "carried"), [("merged", True), ("runtime", False)])
def test_the_base_is_a_file_of_its_own_only_beside_a_merged_model(
    tmp_path: Path, adapters: str, carried: bool
) -> None:
    document = SMALL | {"convert": {"adapters": adapters}, "bundle": {"base": True}}
    assert load_config(recipe(tmp_path, document)).carries_base == carried
    assert not load_config(recipe(tmp_path, SMALL)).carries_base
