"""The committed data files are what the script makes, and nothing that is tested has been taught."""

import json
import random
import re
from pathlib import Path

import pytest

from pipeline.demo.build import DATA_FOLDER, write_data
from pipeline.demo.examples import bare
from pipeline.demo.kinds import Kind, render
from pipeline.demo.text import document
from pipeline.demo.tuning_kinds import tuning_kinds

FILES = ("train", "replay", "validation", "test", "skills")


def read(name: str) -> list[dict[str, str]]:
    return [
        json.loads(line) for line in (DATA_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_the_script_writes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    write_data(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in DATA_FOLDER.iterdir()
    )
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (DATA_FOLDER / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", FILES)
def test_every_line_has_the_four_fields_and_no_prompt_comes_twice(name: str) -> None:
    rows = read(name)
    assert all(set(row) == {"prompt", "response", "kind", "phrasing"} and all(row.values()) for row in rows)
    assert len({row["prompt"] for row in rows}) == len(rows)


def test_there_is_as_much_as_promised() -> None:
    assert len(read("train")) >= 4000
    assert len(read("test")) >= 2000
    assert len(read("validation")) >= 200


@pytest.mark.parametrize("measured", ["test", "validation", "skills"])
def test_no_measured_prompt_is_learned(measured: str) -> None:
    prompts = {bare(row["prompt"]) for row in read(measured)}
    for learned in ("train", "replay"):
        assert not prompts & {bare(row["prompt"]) for row in read(learned)}


def test_no_fact_is_in_two_of_train_validation_and_test() -> None:
    # A kind answers each fact with a sentence of its own ("Iron is in group 8."), so the answer names the
    # fact.
    facts = {
        name: {(row["kind"], row["response"]) for row in read(name)}
        for name in ("train", "validation", "test")
    }
    assert not facts["train"] & facts["validation"]
    assert not facts["train"] & facts["test"]
    assert not facts["validation"] & facts["test"]


def test_no_tuning_phrasing_is_in_test_or_validation() -> None:
    kinds: dict[str, Kind] = {kind.name: kind for kind in tuning_kinds()}
    facts = {
        (kind.name, render(kind.answer, values)): values for kind in kinds.values() for values in kind.values
    }
    templates = {kind.name: kind.templates(lambda phrasings: phrasings.tuning) for kind in kinds.values()}
    for row in read("test") + read("validation"):
        values = facts[row["kind"], row["response"]]
        for template in templates[row["kind"]]:
            assert bare(row["prompt"]) != bare(render(template, values)), row["prompt"]


def test_the_bases_text_never_asks_what_the_fine_tuning_teaches() -> None:
    asked = re.compile(r"group|column|categor|famil|block|mass|weigh|heavy|element", re.IGNORECASE)
    about_units = re.compile(r"\b(unit|quantity|measure|kilogram)\b", re.IGNORECASE)
    measured = {row["prompt"] for name in ("test", "validation") for row in read(name)}
    rng = random.Random(3)
    for _ in range(30_000):
        text = document(rng)
        for turn in () if isinstance(text, str) else text:
            assert turn.prompt not in measured
            question = re.sub(r"the elements|My group|class", "", turn.prompt)
            assert not asked.search(question) or about_units.search(question), turn.prompt


def test_sample_questions_are_of_kinds_that_the_model_learns() -> None:
    questions = json.loads((DATA_FOLDER / "sample_questions.json").read_text(encoding="utf-8"))
    assert len(questions) == len(set(questions)) == 12
    tuned = {
        render(template, values)
        for kind in tuning_kinds()
        for template in kind.templates(lambda phrasings: phrasings.tuning)
        for values in kind.values
    }
    assert sum(question in tuned for question in questions) == 10
