from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.recipe.keys import PATHS
from pipeline.recipe.reading import load_config
from tests.support.recipes import SMALL, recipe, refused


def test_relative_paths_start_at_the_folder_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "name": "a",
        "model": {"preset": "../gemma"},
        "data": {"train": "x/train.jsonl", "test": ["/abs/test.csv", "hf://datasets/ann/flags"]},
    }
    path = recipe(tmp_path, document)
    monkeypatch.chdir("/")
    config = load_config(path)
    assert config.model.preset == str((tmp_path / "../gemma").resolve())
    assert config.data.train == (str(tmp_path.resolve() / "x/train.jsonl"),)
    assert config.data.test == ("/abs/test.csv", "hf://datasets/ann/flags")


@pytest.mark.parametrize(
    "preset", ["demo", "kaggle://keras/gemma3/keras/gemma3_270m", "hf://google/gemma-3-270m-it"]
)
def test_addresses_are_left_alone(tmp_path: Path, preset: str) -> None:
    assert load_config(recipe(tmp_path, SMALL | {"model": {"preset": preset}})).model.preset == preset


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(recipe(tmp_path, {"name": "a", "data": {"train": "~/train.jsonl"}}))
    assert config.data.train == (str(tmp_path.resolve() / "train.jsonl"),)


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


@pytest.mark.parametrize(
    ("written", "rank"), [("010", 10), ("0o10", 8), ("0x10", 16), ("+7", 7), ("'9'", 9), ("8.0", 8)]
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, written: str, rank: int) -> None:
    text = f"name: a\ndata: {{train: a}}\nfinetune: {{rank: {written}}}"
    assert load_config(recipe(tmp_path, text)).finetune.rank == rank
    assert load_config(recipe(tmp_path, SMALL), [f"finetune.rank={written}"]).finetune.rank == rank


@pytest.mark.parametrize(
    ("written", "rate"), [("1e-4", 1e-4), (".5", 0.5), ("1_0.5", 10.5), ("'1e-4'", 1e-4)]
)
def test_a_number_needs_no_point_before_its_exponent(tmp_path: Path, written: str, rate: float) -> None:
    text = f"name: a\ndata: {{train: a}}\nfinetune: {{learning_rate: {written}}}"
    assert load_config(recipe(tmp_path, text)).finetune.learning_rate == rate
    given = load_config(recipe(tmp_path, SMALL), [f"finetune.learning_rate={written}"])
    assert given.finetune.learning_rate == rate


@pytest.mark.parametrize("written", ["12:30", "2024-13-45", "0b11", "yes"])
def test_what_only_yaml_1_1_takes_for_another_type_is_text(tmp_path: Path, written: str) -> None:
    text = f"name: a\ndata: {{train: a}}\nbundle: {{title: {written}}}\nfinetune: {{rank: {written}}}"
    assert refused(tmp_path, text).endswith(f"finetune.rank: expected a whole number, got {written!r}")
    override = f"finetune.rank={written}"
    assert refused(tmp_path, SMALL, override).endswith(f"expected a whole number, got {written!r}")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.template=# {prompt}", "# {prompt}"),
        ("data.template={prompt} is?", "{prompt} is?"),
        ("data.template=[x] {prompt}", "[x] {prompt}"),
        ('data.template="{prompt} "', "{prompt} "),
        ("data.template=null", None),
        ("data.template=", None),
        ("data.columns.prompt=# q", "# q"),
        ("bundle.title=Ask #1", "Ask #1"),
        ('bundle.title="Ask" #1', '"Ask" #1'),
        ('bundle.title="Ask: 1"', "Ask: 1"),
        ("bundle.title='tis", "'tis"),
        ("bundle.title=*Ask*", "*Ask*"),
        ("bundle.title=2024", "2024"),
        ("convert.description=", ""),
        ("bundle.sample_questions=['#1?', b]", ("#1?", "b")),
    ],
)
def test_text_on_the_command_line_is_taken_whole(tmp_path: Path, override: str, value: object) -> None:
    found: Any = load_config(recipe(tmp_path, SMALL), [override])
    for part in override.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("value", "names"),
    [("a #1.jsonl", ["a #1.jsonl"]), ("*.jsonl", ["*.jsonl"]), ("5", ["5"]), ("[a, 'b #2']", ["a", "b #2"])],
)
def test_paths_on_the_command_line_are_taken_whole(tmp_path: Path, value: str, names: list[str]) -> None:
    config = load_config(recipe(tmp_path, SMALL), [f"data.train={value}"])
    assert config.data.train == tuple(str(Path.cwd() / name) for name in names)


@pytest.mark.parametrize("value", ["./mine.jsonl", "mine.jsonl"])
def test_paths_in_overrides_are_start_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = load_config(recipe(tmp_path, SMALL), [f"data.train={value}"])
    assert config.data.train == (str((tmp_path / "here/mine.jsonl").resolve()),)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetune.rank", "expected key.path=value"),
        ("=5", "expected key.path=value"),
        ("finetune..rank=5", "expected key.path=value"),
        ("finetune.rank=[", "the value is not valid YAML; quote it"),
        ("finetune.rank=16 # more", "finetune.rank: expected a whole number, got '16 # more'"),
        ("finetune.rank=!!int x", "finetune.rank: expected a whole number, got '!!int x'"),
        ("finetune.targets=[query] # few", "the value is not valid YAML; quote it"),
        (f"finetune.rank={'9' * 5000}", "the value is not valid YAML; quote it"),
        ("finetune.targets=[\a]", "the value is not valid YAML; quote it"),
        ("name.rank=5", "name is not a section"),
        ("finetune.rnk=5", "finetune.rnk: unknown key; did you mean 'rank'?"),
        ("finetune=5", "finetune: expected a section with keys, got 5"),
    ],
)
def test_unusable_overrides_are_refused(tmp_path: Path, override: str, message: str) -> None:
    assert message in refused(tmp_path, SMALL, override)


def test_the_message_for_a_missing_recipe_names_the_folder_of_the_others(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recipe; the included recipes are in configs/"):
        load_config(tmp_path / "none.yaml")


def test_a_recipe_that_is_a_folder_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "bytes.yaml").write_bytes(b"name: caf\xe9")
    for name, message in (("folder.yaml", "cannot be read"), ("bytes.yaml", "not UTF-8 text at byte 9")):
        with pytest.raises(InputError, match=f"{name}: {message}"):
            load_config(tmp_path / name)


def test_adapters_for_the_app_are_found_from_the_recipe_and_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = SMALL | {
        "finetune": {"targets": ["query"]},
        "convert": {"adapters": "runtime"},
        "bundle": {"adapters": ["../poet.tflite"]},
    }
    path = recipe(tmp_path, document)
    assert load_config(path).bundle.adapters == (str((tmp_path / "../poet.tflite").resolve()),)
    monkeypatch.chdir("/")
    given = load_config(path, ["bundle.adapters=[clerk.tflite, /abs/judge.tflite]"])
    assert given.bundle.adapters == ("/clerk.tflite", "/abs/judge.tflite")


def test_the_keys_that_name_files_are_found_in_the_schema() -> None:
    assert {
        "model.preset",
        "data.train",
        "data.validation",
        "data.test",
        "data.replay",
        "finetune.start",
        "bundle.adapters",
    } == PATHS
