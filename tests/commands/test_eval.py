import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.eval import ask_file
from pipeline.data.examples import Example
from pipeline.errors import InputError
from pipeline.evaluation import in_keras
from pipeline.evaluation.answers import Answer
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from tests.support.finished_run import DEMO
from tests.support.rows import write_jsonl

ROWS = [
    {"prompt": "What is Fe?", "response": "Iron.", "kind": "symbol"},
    {"prompt": "What is Au?", "response": "Gold.", "kind": "symbol"},
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "run") as run:
        with run.stage("download", settings={}) as work:
            (work.folder / "preset").symlink_to(DEMO / "base")
        yield run


@pytest.fixture
def config() -> Config:
    return Config.model_validate({"name": "t", "data": {"train": "x"}, "finetune": {"backend": "torch"}})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Keras was asked; it knows iron only."""
    asked: dict[str, Any] = {}

    def answer_all(preset: Path, examples: list[Example], **options: Any) -> list[Answer]:
        asked.update(options, questions=[example.question for example in examples])
        return [
            Answer(example.question, example.response, "Iron.", True, -1.0, 2, dict(example.tags))
            for example in examples
        ]

    monkeypatch.setattr(in_keras, "answer_all", answer_all)
    monkeypatch.setattr("pipeline.commands.eval.use_backend", lambda backend: None)
    return asked


def test_scores_are_printed_and_answers_written(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, answers = write_jsonl(tmp_path / "test.jsonl", ROWS), tmp_path / "answers.jsonl"
    scores = ask_file(run, config, data, on="keras", base=True, output=answers)
    assert scores.exact_match == 50
    output = capsys.readouterr().out
    assert "base in Keras: exact match 50.0 % of 2 questions" in output
    assert asked["questions"] == ["What is Fe?", "What is Au?"]
    assert (asked["adapter"], asked["max_new_tokens"]) == (None, config.verify.max_new_tokens)
    written = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["correct"] for row in written] == [True, False]


def test_what_was_decided_about_the_rows_is_printed(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [("user", "What is Fe?"), ("assistant", "Iron."), ("user", "And Au?"), ("assistant", "Lead.")]
    messages: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in turns]
    messages[-1]["weight"] = 0
    data = write_jsonl(tmp_path / "test.jsonl", [{"messages": messages}])
    ask_file(run, config, data, on="keras", base=True)
    assert asked["questions"] == ["What is Fe?"]
    assert "turns after the last trained answer, omitted: 2" in capsys.readouterr().out


def test_equal_rows_are_all_asked(run: Run, config: Config, asked: dict[str, Any], tmp_path: Path) -> None:
    ask_file(run, config, write_jsonl(tmp_path / "test.jsonl", [ROWS[0], ROWS[0]]), on="keras", base=True)
    assert len(asked["questions"]) == 2


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (ROWS, {"on": "runtime", "base": True}, "--base works only with --on keras"),
        ([], {"on": "keras", "base": True}, "contains no rows"),
        ([{"prompt": "a"}], {"on": "keras", "base": True}, "line 1"),
        (ROWS, {"on": "keras"}, "no result of finetune yet; run: pocketgemma finetune"),
        (ROWS, {"on": "runtime"}, "no result of convert yet; run: pocketgemma convert"),
    ],
)
def test_unusable_input_is_refused(
    run: Run,
    config: Config,
    asked: dict[str, Any],
    tmp_path: Path,
    rows: list[dict[str, str]],
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        ask_file(run, config, write_jsonl(tmp_path / "test.jsonl", rows), **options)


def test_a_file_whose_rows_are_all_dropped_is_refused(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path
) -> None:
    short = config.model_copy(
        update={"data": config.data.model_copy(update={"max_length": 8, "too_long": "drop"})}
    )
    data = write_jsonl(tmp_path / "test.jsonl", [{"prompt": "Why? " * 9, "response": "So."}])
    with pytest.raises(InputError, match=r"test\.jsonl: contains no questions"):
        ask_file(run, short, data, on="keras", base=True)


def test_rows_beyond_the_context_of_the_model_are_named_before_it_is_opened(
    run: Run, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run.stage("convert", settings={}):
        pass
    opened = iter([RuntimeError("opened")])

    def open_model(model: Path) -> None:
        raise next(opened)

    monkeypatch.setattr("pipeline.commands.eval.context_length_of", lambda model: 30)
    monkeypatch.setattr("pipeline.litert.runtime.probe.make_sure_it_opens", open_model)
    long = {"prompt": "What is Fe? " * 6, "response": "Iron."}
    data = write_jsonl(tmp_path / "test.jsonl", [ROWS[0], long])
    with pytest.raises(InputError, match="the converted model's context length is 30; shorten it") as caught:
        ask_file(run, config, data, on="runtime")
    assert "test.jsonl line 2: " in str(caught.value)
    assert "line 1" not in str(caught.value)
    with pytest.raises(RuntimeError, match="opened"):
        ask_file(run, config, write_jsonl(tmp_path / "short.jsonl", ROWS), on="runtime")


def test_answers_that_cannot_be_written_are_reported(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path
) -> None:
    data = write_jsonl(tmp_path / "test.jsonl", ROWS)
    with pytest.raises(InputError, match="choose another file with --answers"):
        ask_file(run, config, data, on="keras", base=True, output=tmp_path / "none" / "answers.jsonl")


def test_tags_are_text_whatever_is_in_them(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = ["[/]", "[bold]x[/bold]", "[red", ":bug:", "\\[a]", "[link=x]"]
    rows = [{**ROWS[0], "prompt": f"Q{number}", "[/b] kind": value} for number, value in enumerate(values)]
    answers = tmp_path / "answers [b].jsonl"
    ask_file(run, config, write_jsonl(tmp_path / "[b].jsonl", rows), on="keras", base=True, output=answers)
    output = capsys.readouterr().out
    for text in (*values, "[/b] kind"):
        assert text in output
    assert len(answers.read_text(encoding="utf-8").splitlines()) == len(values)


@pytest.mark.parametrize("output", ["test.jsonl", "recipe.yaml", "train-1.jsonl", "qs/answers.jsonl"])
def test_answers_never_replace_what_is_read(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path, output: str
) -> None:
    (tmp_path / "qs").mkdir()
    for name in ("test.jsonl", "recipe.yaml", "train-1.jsonl", "qs/test.jsonl"):
        write_jsonl(tmp_path / name, ROWS)
    data = tmp_path / ("qs" if output.startswith("qs/") else "test.jsonl")
    files = config.model_copy(
        update={"data": config.data.model_copy(update={"train": (str(tmp_path / "train-*.jsonl"),)})}
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*l") if path.is_file()}
    with pytest.raises(InputError, match=r"an input of this command") as caught:
        ask_file(
            run,
            files,
            data,
            on="keras",
            base=True,
            output=tmp_path / output,
            recipe=tmp_path / "recipe.yaml",
        )
    assert "\n" not in str(caught.value)
    assert not asked
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*l") if path.is_file()} == before


def test_older_answers_stay_until_the_new_ones_are_complete(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path
) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text("older", encoding="utf-8")
    (tmp_path / "link.jsonl").symlink_to(answers)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="no such file"):
        ask_file(run, config, tmp_path / "none.jsonl", on="keras", base=True, output=answers)
    assert (answers.read_text(encoding="utf-8"), sorted(tmp_path.iterdir())) == ("older", before)
    data = write_jsonl(tmp_path / "test.jsonl", ROWS)
    ask_file(run, config, data, on="keras", base=True, output=tmp_path / "link.jsonl")
    assert len(answers.read_text(encoding="utf-8").splitlines()) == len(ROWS)
    assert sorted(tmp_path.iterdir()) == sorted([*before, data])


def test_a_folder_that_is_named_like_the_demo_is_no_input(
    run: Run, config: Config, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert config.model.preset == "demo"
    answers = tmp_path / "demo" / "answers.jsonl"
    ask_file(run, config, write_jsonl(tmp_path / "test.jsonl", ROWS), on="keras", base=True, output=answers)
    assert len(answers.read_text(encoding="utf-8").splitlines()) == len(ROWS)
