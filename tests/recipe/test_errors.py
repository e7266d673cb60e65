from pathlib import Path
from typing import Any

import pytest

from tests.support.recipes import SMALL, refused


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (SMALL | {"finetun": {}}, "finetun: unknown key; did you mean 'finetune'?"),
        (SMALL | {"finetune": {"ranks": 8}}, "finetune.ranks: unknown key; did you mean 'rank'?"),
        (
            SMALL | {"finetune": {"zzzzz": 8}},
            "finetune.zzzzz: unknown key; known keys: backend, dtype, method",
        ),
        (
            SMALL | {"finetune": {"rank": 0}},
            "finetune.rank: expected 1 or more, got 0",
        ),
        (SMALL | {"finetune": {"rank": "many"}}, "finetune.rank: expected a whole number, got 'many'"),
        (
            SMALL | {"finetune": {"targets": ["query", "wq"]}},
            "finetune.targets.1: expected one of query, key, value, output, gate, up, down, per_layer_gate, "
            "per_layer_projection, all-linear, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, "
            "down_proj, per_layer_input_gate, got 'wq'",
        ),
        (SMALL | {"finetune": {"targets": []}}, "finetune.targets: expected 1 or more entries, got []"),
        (SMALL | {"convert": {"recipe": "int2"}}, "fp16, fp32, got 'int2'; did you mean 'int8'?"),
        (
            SMALL | {"convert": {"prefill_lengths": [4096]}},
            "convert.prefill_lengths: 4096 exceeds convert.context_length: 1280; shorten",
        ),
        (SMALL | {"data": {"train": 5}}, "data.train: expected a path or a list of paths, got 5"),
        (SMALL | {"data": {"train": None}}, "data.train: expected a path or a list of paths, got null"),
        (SMALL | {"data": {"train": {}}}, "data.train: expected a path or a list of paths, got {}"),
        (SMALL | {"data": {"train": [5]}}, "data.train.0: expected a path, got 5"),
        (SMALL | {"model": {"preset": None}}, "model.preset: expected a path, got null"),
        (
            "name: a\ndata: {train: a, template: {text}}",
            "expected text, got {'text': null}; put text with braces in quotes",
        ),
        (
            SMALL | {"data": {"train": "a", "columns": {"promt": "x"}}},
            "data.columns.promt: unknown key; did you mean 'prompt'?",
        ),
        (
            SMALL | {"data": {"train": "a", "template": "Classify: text"}},
            "data.template: names no column; write one in braces, for example 'Classify: {text}'",
        ),
        (
            SMALL | {"data": {"train": "a", "template": "{text"}},
            "data.template: unbalanced braces",
        ),
        *(
            (SMALL | {"data": {"train": "a", "encoding": name}}, f"data.encoding: unknown encoding '{name}'")
            for name in ("ansi9", "base64", "rot13", "undefined", "")
        ),
        (
            SMALL | {"data": {"train": "a", "template": "{x}", "columns": {"prompt": "x"}}},
            "data: template and columns.prompt or columns.messages exclude each other",
        ),
        (
            SMALL | {"data": {"train": "a", "replay_share": 1.0}},
            "data.replay_share: expected less than 1, got 1.0",
        ),
        (
            "name: a\ndata: {train: a}\nfinetune: {learning_rate: .inf}",
            "finetune.learning_rate: expected a finite number, got inf",
        ),
        (
            "name: a\ndata: {train: a}\nfinetune: {alpha: nan}",
            "finetune.alpha: expected a finite number, got 'nan'",
        ),
        (
            "name: a\ndata: {train: a}\nconvert: {temperature: .inf}",
            "convert.temperature: expected a finite number, got inf",
        ),
        (
            "name: a\ndata: {train: a, validation_share: .nan}",
            "data.validation_share: expected a finite number, got nan",
        ),
        (
            "name: a\ndata: {train: a}\nverify: {min_accuracy: .nan}",
            "verify.min_accuracy: expected a finite number, got nan",
        ),
        (
            SMALL | {"finetune": {"seed": 2**32}},
            "finetune.seed: expected 4,294,967,295 or less, got 4294967296",
        ),
        ({"name": "small"}, "data: missing; add it"),
        ({"name": "small", "data": {}}, "data.train: missing; add it"),
        ({"data": {"train": "a"}}, "name: missing; add it"),
        (SMALL | {"name": "../escape"}, "name: expected at most 64 letters, digits, dots"),
        (SMALL | {"convert": {"graft": "perhaps"}}, "convert.graft: expected true or false, got 'perhaps'"),
        (
            SMALL | {"finetune": {"backend": "tensorflw"}},
            "finetune.backend: expected one of auto, jax, torch, tensorflow, got 'tensorflw'; did you mean "
            "'tensorflow'?",
        ),
        (SMALL | {"bundle": {"title": ""}}, "bundle.title: expected 1 or more characters, got ''"),
        (SMALL | {"finetune": None}, "finetune: expected a section with keys, got null"),
        ("- a\n- b\n", "expected sections such as 'model:' and 'data:', found a list"),
        ("", "name: missing; add it"),
        ("name: [unclosed", "not valid YAML: line 1: "),
        ("name: a\ndata: {train: a}\nname: b", "not valid YAML: line 3: name occurs twice; remove one"),
        ("name: a\ndata:\n  train: a\n  train: b", "not valid YAML: line 4: train occurs twice; remove one"),
        ("name: a\ndata: {train: a}\nyes: 5", "yes: unknown key; known keys: name, model"),
        ("name: a\ndata: {train: a}\ntrue: 5", "true: unknown key; known keys: name, model"),
        (
            "name: a\ndata:\n  train: a\n  template: {{prompt}}",
            "not valid YAML: line 4: expected a key, found a list or a section; put text with braces in "
            "quotes",
        ),
        ("name: a\n? [data]\n: {train: a}", "not valid YAML: line 2: expected a key, found a list"),
        ("name: !!int x", "not valid YAML: line 1: 'x' is not a valid int; put text in quotes"),
        ("name: !!bool x", "not valid YAML: line 1: 'x' is not a valid bool; put text in quotes"),
        ("name: !!timestamp x", "not valid YAML: line 1: 'x' is not a valid timestamp; put text in quotes"),
        (
            f"name: {'9' * 5000}",
            f"not valid YAML: line 1: '{'9' * 40}' is not a valid int; put text in quotes",
        ),
        ("[" * 5000, "not valid YAML: its lists and sections are nested too deeply"),
        ("name: !!python/object/apply:os.system ['true']", "not valid YAML: "),
    ],
)
def test_the_message_names_file_key_and_what_was_expected(
    tmp_path: Path, document: Any, message: str
) -> None:
    said = refused(tmp_path, document)
    assert message in said
    assert said.startswith(str(tmp_path / "recipe.yaml"))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["finetune.targets=Quary"], "finetune.targets: expected one of query, "),
        (["finetune.targets=[Quary]"], "finetune.targets.0: expected one of query, "),
        (["convert.prefill_lengths=[0]"], "convert.prefill_lengths.0: expected 1 or more, got 0"),
        (
            ['data.train=["a\\0b"]'],
            "data.train.0: a path cannot contain a NUL character, got 'a\\x00b'; remove it",
        ),
        (["bundle.abis=[x]"], "bundle.abis.0: expected one of arm64-v8a, x86_64, got 'x'"),
    ],
)
def test_a_wrong_entry_of_a_list_is_one_line(tmp_path: Path, overrides: list[str], line: str) -> None:
    said = refused(tmp_path, SMALL, *overrides)
    assert said.startswith(f"{tmp_path / 'recipe.yaml'}: {line}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("rank", ["x" * 1000, "0x" + "f" * 5000, f"[{'[a, ' * 50}{']' * 50}]"])
def test_a_long_value_is_shortened_in_the_message(tmp_path: Path, rank: str) -> None:
    said = refused(tmp_path, SMALL, f"finetune.rank={rank}")
    assert "finetune.rank: " in said
    assert len(said) < len(str(tmp_path)) + 250


def test_all_errors_are_reported_together_one_on_a_line(tmp_path: Path) -> None:
    said = refused(tmp_path, SMALL | {"finetune": {"rank": 0, "epochs": 0}, "convrt": {}})
    assert len(said.splitlines()) == 3


def test_broken_rules_are_lines_of_their_own(tmp_path: Path) -> None:
    broken = {"convert": {"recipe": "fp32", "rounding": "gptq", "graft": False}}
    lines = refused(tmp_path, SMALL | broken).splitlines()
    path = str(tmp_path / "recipe.yaml")
    assert [line.startswith(f"{path}: convert.rounding: gptq ") for line in lines] == [True, True]
