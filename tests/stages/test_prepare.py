import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.examples import read_examples
from pipeline.errors import InputError
from pipeline.families.turns import CHAT
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import prepare
from tests.support.presets import TRANSFORMERS_CONFIG, write_json
from tests.support.rows import pair, write_csv, write_jsonl
from tests.support.tokenizers import write_tokenizer

TRAIN = [pair(f"What is {number}?", f"It is {number}.", kind="number") for number in range(100)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "run") as run:
        with run.stage("download", settings={}) as work:
            write_tokenizer(work.folder / "preset/tokenizer.model")
            write_json(work.folder / "preset/config.json", TRANSFORMERS_CONFIG)
        yield run


def config(train: Path, seed: int = 0, /, **data: Any) -> Config:
    section = {key: str(value) if isinstance(value, Path) else value for key, value in data.items()}
    return Config.model_validate(
        {"name": "test", "data": {"train": str(train)} | section, "finetune": {"seed": seed}}
    )


def prepared(run: Run, name: str) -> list[Any]:
    return read_examples(run.folder("prepare") / f"{name}.jsonl")


def summary(run: Run) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run.folder("prepare") / "summary.json").read_text())
    return document


def refused(settings: Config, run: Run) -> str:
    with pytest.raises(InputError) as caught:
        prepare.run(settings, run)
    assert not run.folder("prepare").exists()
    return str(caught.value)


def test_all_files_are_prepared_and_summarized(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", [*TRAIN, TRAIN[7]])
    test = write_csv(tmp_path / "test.csv", ["question", "answer"], [["What is 1000?", "It is 1000."]])
    old = write_jsonl(tmp_path / "old.jsonl", [pair(f"Say {number}", str(number)) for number in range(200)])
    prepare.run(config(train, test=test, replay=old, replay_share=0.25, validation_share=0.1), run)

    kept, validation, asked = (prepared(run, name) for name in ("train", "validation", "test"))
    new = [example for example in kept if "replay" not in example.tags]
    assert {example.tags["kind"] for example in new + validation} == {"number"}
    assert len(new) + len(validation) == 100
    assert not {example.prompt(CHAT) for example in kept} & {example.prompt(CHAT) for example in validation}
    assert (asked[0].question, asked[0].source) == ("What is 1000?", "test.csv line 2")

    found = summary(run)
    assert found["counts"] == {"train": len(kept), "validation": len(validation), "test": 1}
    assert found["replay"]["examples"] == len(kept) - len(new)
    assert found["replay"]["share"] == pytest.approx(0.25, abs=0.01)
    assert found["files"]["train"].pop("decisions")["tags"] == ["kind"]
    assert found["files"]["train"] == {
        "rows": 101,
        "kept": 100,
        "dropped_missing": 0,
        "dropped_duplicates": 1,
        "dropped_too_long": 0,
        "truncated": 0,
    }
    assert run.manifest("prepare").details["counts"] == found["counts"]
    output = capsys.readouterr().out
    assert "test: prompt from question, response from answer" in output
    assert "train: tags: kind" in output
    assert "train: duplicates dropped: 1 of 101 rows" in output
    assert "replay: 30 examples, 25% of train" in output


def test_the_same_seed_prepares_the_same_bytes_and_another_does_not(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    digests = []
    for seed in (0, 0, 1):
        prepare.run(config(train, seed), run, force=True)
        digests.append([entry["sha256"] for entry in run.manifest("prepare").document["outputs"]])
    assert digests[0] == digests[1] != digests[2]


def test_faults_of_all_files_are_reported_together_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", [*TRAIN, pair("a", ""), b"{"])
    test = write_jsonl(tmp_path / "test.jsonl", [pair("What is 3?", "three"), pair("<eos>", "b")])
    old = write_jsonl(tmp_path / "old.jsonl", [pair("x", "y" * 3000)])
    message = refused(config(train, test=test, replay=old), run)
    assert message.startswith("5 faults in the examples; nothing was written:")
    for fault in (
        "train.jsonl line 101: response is empty",
        "train.jsonl line 102: invalid JSON",
        "test.jsonl line 1: has the same prompt as train.jsonl line 4, which is training data",
        "test.jsonl line 2: prompt contains the control token <eos>",
        "old.jsonl line 1: 3017 tokens long",
    ):
        assert fault in message


@pytest.mark.parametrize("source", ["train", "replay"])
@pytest.mark.parametrize("held_out", ["validation", "test"])
def test_a_question_in_both_training_and_held_out_data_is_refused(
    source: str, held_out: str, run: Run, tmp_path: Path
) -> None:
    leak = pair("What is leaking?", "This.")
    train = write_jsonl(tmp_path / "train.jsonl", [*TRAIN, leak] if source == "train" else TRAIN)
    old = write_jsonl(tmp_path / "old.jsonl", [leak if source == "replay" else pair("o", "p")])
    other = write_jsonl(tmp_path / "held_out.jsonl", [pair(" What is leaking?", "That.")])
    settings = config(train, 0, replay=old, **{held_out: other})
    assert "held_out.jsonl line 1: has the same prompt as" in refused(settings, run)


def test_replay_contains_no_prompt_of_the_validation_split(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    old = write_jsonl(tmp_path / "old.jsonl", [pair(row["prompt"], "another") for row in TRAIN[:90]])
    prepare.run(config(train, replay=old, validation_share=0.3), run)
    validation = {example.prompt(CHAT) for example in prepared(run, "validation")}
    assert validation
    assert not validation & {example.prompt(CHAT) for example in prepared(run, "train")}


def test_with_a_validation_file_nothing_is_split_off(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    other = write_jsonl(tmp_path / "validation.jsonl", [pair("a", "b"), pair("c", "d")])
    prepare.run(config(train, validation=other), run)
    assert summary(run)["counts"] == {"train": 100, "validation": 2}


def test_dropped_and_shortened_rows_are_reported(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", [*TRAIN, pair("long", "word " * 200)])
    prepare.run(config(train, max_length=64, too_long="drop"), run)
    assert "train: too long, dropped: 1 of 101 rows" in capsys.readouterr().out
    prepare.run(config(train, max_length=64, too_long="truncate"), run)
    assert "train: responses shortened to data.max_length: 1 of 101 rows" in capsys.readouterr().out
    assert summary(run)["tokens"]["train"]["whole"]["max"] <= 64


def test_prompts_with_several_responses_are_reported(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", [*TRAIN, pair("What is 3?", "Three.")])
    prepare.run(config(train, validation_share=0), run)
    output = capsys.readouterr().out
    assert "1 prompt has more than one response" in output
    assert "validation: no examples; set data.validation_share above 0 for early stopping" in output


def test_the_message_when_every_example_is_dropped_names_the_settings(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", [pair("long", "word " * 200)])
    message = refused(config(train, max_length=32, too_long="drop"), run)
    assert "no training examples are left; check data.duplicates, data.missing" in message


def test_it_is_up_to_date_until_a_file_a_setting_the_seed_or_the_tokenizer_changes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)

    def done(settings: Config) -> bool:
        capsys.readouterr()
        prepare.run(settings, run)
        return "up to date" not in capsys.readouterr().out

    assert done(config(train))
    assert not done(config(train))
    assert done(config(train, max_length=256))
    assert done(config(train))
    assert done(config(train, 1))
    assert done(config(train))
    write_jsonl(train, TRAIN[:-1])
    assert done(config(train))
    assert not done(config(train))
    with run.stage("download", settings={"another": True}) as work:
        write_tokenizer(work.folder / "preset/tokenizer.model")
        write_json(work.folder / "preset/config.json", TRANSFORMERS_CONFIG)
    assert done(config(train))


def test_the_path_of_the_files_does_not_matter(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare.run(config(write_jsonl(tmp_path / "one.jsonl", TRAIN)), run)
    capsys.readouterr()
    prepare.run(config(write_jsonl(tmp_path / "two.jsonl", TRAIN)), run)
    assert "up to date" in capsys.readouterr().out


def test_without_a_preset_the_message_says_what_to_run_first(tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    with Run(tmp_path / "empty") as run, pytest.raises(InputError, match="run: pocketgemma download"):
        prepare.run(config(train), run)


def test_columns_and_a_template_of_the_recipe_reach_every_file(run: Run, tmp_path: Path) -> None:
    rows = [[f"What is {number}?", f"n{number % 3}"] for number in range(40)]
    train = write_csv(tmp_path / "train.csv", ["text", "category"], rows)
    test = write_csv(tmp_path / "test.csv", ["text", "category"], [["What is 99?", "n0"]])
    old = write_jsonl(tmp_path / "old.jsonl", [pair("Say hi", "hi")])
    named = {"columns": {"response": "category"}, "template": "Classify: {text}"}
    prepare.run(config(train, test=test, replay=old, **named), run)
    assert prepared(run, "test")[0].question == "Classify: What is 99?"
    questions = {example.question for example in prepared(run, "train")}
    assert "Say hi" in questions
    assert all(question.startswith("Classify: ") for question in questions - {"Say hi"})


def test_several_files_are_one_and_each_counts_for_freshness(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in range(2):
        write_jsonl(tmp_path / f"part-{part}.jsonl", TRAIN[part::2])
    settings = config(tmp_path / "part-*.jsonl")
    prepare.run(settings, run)
    assert summary(run)["files"]["train"]["rows"] == 100
    names = [entry["name"] for entry in run.manifest("prepare").document["inputs"]]
    assert names == ["train/1-part-0.jsonl", "train/2-part-1.jsonl"]
    capsys.readouterr()
    prepare.run(settings, run)
    assert "up to date" in capsys.readouterr().out
    write_jsonl(tmp_path / "part-1.jsonl", TRAIN[1::4])
    prepare.run(settings, run)
    assert "rerun" in capsys.readouterr().out


def test_rows_that_differ_only_in_their_context_are_not_duplicates(run: Run, tmp_path: Path) -> None:
    rows = [{"question": "Colour?", "context": f"It is {c}.", "answer": c} for c in ("red", "blue", "green")]
    prepare.run(config(write_jsonl(tmp_path / "train.jsonl", rows), validation_share=0), run)
    assert summary(run)["files"]["train"]["dropped_duplicates"] == 0
    assert {(e.question, e.response) for e in prepared(run, "train")} == {
        (f"Colour?\n\nIt is {c}.", c) for c in ("red", "blue", "green")
    }


def test_test_prompts_that_are_nearly_training_data_are_reported(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    test = write_jsonl(tmp_path / "test.jsonl", [pair("WHAT IS 3?", "It is 3.")])
    prepare.run(config(train, test=test), run)
    assert "test: 1 prompts differ from training data only in case or spacing" in capsys.readouterr().out


TURNS = [
    {"messages": [{"role": ("user", "assistant")[turn % 2], "content": f"{row} {turn}"} for turn in range(4)]}
    for row in range(40)
]


def without_loss(run: Run) -> None:
    """Make the result one from before `data.loss` was a key: it was prepared with the last turn only."""
    path = run.files.prepare.manifest
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["settings"]["loss"]
    path.write_text(json.dumps(document), encoding="utf-8")


def test_what_is_learned_of_conversations_is_said(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TURNS)
    prepare.run(config(train, validation_share=0.1), run)
    learning = summary(run)["learning"]["train"]
    assert (learning["answers"], learning["learned_answers"]) == (72, 72)
    assert summary(run)["learning"].keys() == {"train"}
    of_tokens = f"{learning['learned_tokens']:,} of {learning['tokens']:,} tokens"
    said = " ".join(capsys.readouterr().out.split())
    assert f"train: the model is trained on 72 of 72 answers, {of_tokens}" in said
    assert all(example.learned_earlier == (1,) for example in prepared(run, "train"))
    prepare.run(config(train, validation_share=0.1, loss="last"), run)
    assert "train: the model is trained on 36 of 72 answers" in capsys.readouterr().out
    assert not any(example.learned_earlier for example in prepared(run, "train"))


@pytest.mark.parametrize(
    ("rows", "loss", "kept"),
    [
        (TRAIN, "all_assistant_turns", True),
        (TRAIN, "last", True),
        (TURNS, "all_assistant_turns", False),
        (TURNS, "last", True),
    ],
)
def test_an_older_result_is_kept_unless_it_lacks_turns(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], loss: str, kept: bool
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    prepare.run(config(train, loss="last"), run)
    without_loss(run)
    capsys.readouterr()
    prepare.run(config(train, loss=loss), run)
    assert ("up to date" in capsys.readouterr().out) == kept


@pytest.mark.parametrize(
    ("rows", "damaged", "kept"), [(TRAIN, False, True), (TURNS, False, False), (TRAIN, True, False)]
)
def test_a_result_of_0_1_0_is_kept_if_its_examples_have_one_answer_each(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[Any],
    damaged: bool,
    kept: bool,
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    prepare.run(config(train, loss="last"), run)
    without_loss(run)
    document = summary(run)
    del document["files"]["train"]["decisions"]
    text = "{" if damaged else json.dumps(document)
    run.files.prepare.summary.write_text(text, encoding="utf-8")
    capsys.readouterr()
    prepare.run(config(train), run)
    assert ("loss: last → all_assistant_turns" in capsys.readouterr().out) != kept


def test_single_turns_are_prepared_to_the_same_bytes_either_way(run: Run, tmp_path: Path) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    digests = []
    for loss in ("all_assistant_turns", "last"):
        prepare.run(config(train, loss=loss), run, force=True)
        digests.append([entry["sha256"] for entry in run.manifest("prepare").document["outputs"]])
    assert digests[0] == digests[1]
    assert "learning" not in summary(run)
