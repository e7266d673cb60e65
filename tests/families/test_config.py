"""Faults in a config.json are reported by file and key."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.families.config import layer_count, number, positive, read_json, section

PATH = Path("preset/config.json")


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not readable as JSON"), ("[]", "expected a JSON object, found list")]
)
def test_a_file_that_is_not_an_object_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_json(path)


def test_a_missing_file_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"is {tmp_path} a preset folder"):
        read_json(tmp_path / "config.json")


@pytest.mark.parametrize("value", [None, 0, -1, "8", 1.5, True])
def test_only_positive_integers_count(value: object) -> None:
    with pytest.raises(InputError, match=r"preset/config.json: head_dim is .*, expected a positive integer"):
        positive(PATH, {"head_dim": value}, "head_dim")


@pytest.mark.parametrize("value", [None, 0, -1.0, "8", True, float("inf"), float("nan")])
def test_only_positive_numbers_count(value: object) -> None:
    with pytest.raises(InputError, match=r"preset/config.json: epsilon is .*, expected a positive number"):
        number(PATH, {"epsilon": value}, "epsilon")
    assert number(PATH, {"epsilon": 2}, "epsilon") == 2.0


def test_layers_are_counted_up_to_many_times_those_of_a_gemma() -> None:
    assert layer_count(PATH, {"num_layers": 1000}, "num_layers") == 1000
    with pytest.raises(InputError, match="num_layers is 1,001, expected at most 1,000 layers"):
        layer_count(PATH, {"num_layers": 1001}, "num_layers")


def test_a_section_must_be_an_object() -> None:
    assert section(PATH, {"config": {"a": 1}}, "config") == {"a": 1}
    with pytest.raises(InputError, match="config is missing"):
        section(PATH, {"config": 1}, "config")
