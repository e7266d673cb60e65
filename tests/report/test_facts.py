"""Promise: the report says what the stages recorded, and only what belongs to the current result."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.interval import wilson_interval
from pipeline.report.facts import gather
from pipeline.report.html import render
from pipeline.report.training import Epoch, ForgettingFacts
from pipeline.run.files import RunFiles
from pipeline.run.folder import Run
from pipeline.tuning.methods.lora import METHOD as LORA
from pipeline.tuning.start import START_WEIGHTS
from tests.support import reported_run
from tests.support.reported_run import QUESTIONS, SCRIPT, WRONG, make_run, recipe, refuse
from tests.support.rows import pair, write_jsonl


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def test_head_and_files_are_those_of_the_manifests(run_folder: Path) -> None:
    facts = gather(run_folder)
    assert (facts.name, set(facts.missing)) == ("planets", {"bundle", "deploy"})
    assert facts.base and (facts.base.name, facts.base.family, facts.base.parameters) == (
        "demo",
        "gemma3",
        1_560_064,
    )
    assert facts.base.terms is None  # the demo is not Google's
    assert [file.path for file in facts.products] == ["convert/model.litertlm"]
    for file in facts.files:
        path = run_folder / file.path
        inside = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
        assert file.bytes == sum(each.stat().st_size for each in inside), file.path
    assert [file.path for file in facts.files] == [
        "download/preset/",
        "finetune/adapter.safetensors",
        "merge/keras/",
        "merge/huggingface/",
        "convert/model.litertlm",
    ]


def test_the_app_is_the_file_for_the_phone_once_it_is_built(tmp_path: Path) -> None:
    facts = gather(make_run(tmp_path, "bundle"))
    assert [(file.path, file.bytes) for file in facts.products] == [("bundle/planets.apk", 6)]


def test_models_beside_the_app_are_for_the_phone_too(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "verify")
    with Run(folder) as run, run.stage("bundle", settings={}, after=("convert", "verify")) as work:
        for name in ("planets.apk", "model.litertlm", "base.litertlm"):
            (work.folder / name).write_bytes(b"content")
    assert [file.path for file in gather(folder).products] == [
        "bundle/planets.apk",
        "bundle/model.litertlm",
        "bundle/base.litertlm",
    ]


def test_dropped_rows_are_counted_with_their_reason(run_folder: Path) -> None:
    data = gather(run_folder).data
    assert data
    assert [(split.name, split.examples) for split in data.splits] == [
        ("train", 190),
        ("validation", 10),
        ("test", 1),
    ]
    train = data.files[0]
    assert (train.sources, train.rows, train.kept) == (["train.jsonl"], 201, 200)
    assert train.effects == [("duplicates dropped", 1)]


def test_the_history_starts_with_the_untrained_model(run_folder: Path) -> None:
    training = gather(run_folder).training
    assert training
    assert training.history[0] == Epoch(0, None, None, 4.0, 0.0)
    assert training.history[2] == Epoch(2, 0.1, 0.8, 0.2, 0.9)
    assert (training.method, training.rank, training.targets) == ("LoRA", 2, ("query", "value"))
    assert (training.best_epoch, training.tokens_per_second) == (2, 1234.5)


def test_forgetting_is_shown_as_recorded(run_folder: Path, copy: Path) -> None:
    training = gather(run_folder).training
    assert training is not None
    assert training.forgetting == ForgettingFacts(before=52.61, after=1506.04, tokens=1021)
    page = render(gather(run_folder))
    assert "52.6 before training, 1,506.0 after" in page
    assert "suggests that the model has forgotten" in page
    path = RunFiles(copy).finetune.manifest
    document = json.loads(path.read_text(encoding="utf-8"))
    document["details"]["general_text"]["after"] = None
    path.write_text(json.dumps(document), encoding="utf-8")
    page = render(gather(copy))
    assert "52.6 before training, not finite after" in page
    assert "suggests" not in page
    del document["details"]["general_text"]
    path.write_text(json.dumps(document), encoding="utf-8")
    earlier = gather(copy)
    assert earlier.training is not None
    assert earlier.training.forgetting is None
    assert "Not recorded: this model was trained with an earlier version." in render(earlier)


def test_scores_have_the_runtime_s_interval_for_all_questions_and_each_tag(run_folder: Path) -> None:
    comparison = gather(run_folder).comparison
    assert comparison
    score, right = comparison.overall, QUESTIONS - WRONG
    low, high = wilson_interval(right, QUESTIONS)
    assert (score.count, score.runtime, score.keras) == (16, 100 * right / 16, 100 * (right + 1) / 16)
    assert (score.low, score.high) == (100 * low, 100 * high)
    assert {value: each.runtime for value, each in comparison.by_tag["kind"].items()} == {
        "even": 87.5,
        "odd": 87.5,
    }
    assert (comparison.split, comparison.refused) == ("test", False)


def test_the_base_s_answers_stand_beside_the_answers_to_the_same_questions(run_folder: Path) -> None:
    comparison = gather(run_folder).comparison
    assert comparison
    assert [example.question for example in comparison.examples][:2] == [SCRIPT, "What is 2?"]
    assert len(comparison.examples) == 8
    first = comparison.examples[0]
    assert first.base
    assert (first.base.text, first.keras.text, first.runtime.text) == ("The base says.", "Yes.", "No.")
    assert [example.question for example in comparison.mistakes] == [SCRIPT, "What is 1?"]


def test_without_answers_of_the_base_the_questions_are_shown_without_them(copy: Path) -> None:
    (copy / "verify" / "base_answers.jsonl").unlink()
    comparison = gather(copy).comparison
    assert comparison and [example.base for example in comparison.examples] == [None] * 8


def test_memory_and_stages_are_those_of_the_converted_model(run_folder: Path) -> None:
    facts = gather(run_folder)
    assert facts.memory and facts.memory.cost
    assert sum(part.bytes for part in facts.memory.parts) == facts.memory.cost.total
    assert "TFLiteModel" in [part.name for part in facts.memory.sections]
    peaks = {stage.name: stage.peak_bytes for stage in facts.stages}
    assert list(peaks) == ["download", "prepare", "finetune", "merge", "convert", "verify"]
    assert peaks["convert"] == 10**15  # the converter's own process
    assert facts.date == max(stage.finished for stage in facts.stages)


def test_a_model_file_that_is_gone_costs_the_memory_section_only(copy: Path) -> None:
    (copy / "convert" / "model.litertlm").unlink()
    facts = gather(copy)
    assert facts.memory and facts.memory.cost is None
    assert facts.comparison


@pytest.mark.parametrize("until", ["download", "prepare", "finetune", "merge", "convert"])
def test_what_has_not_run_is_missing(tmp_path: Path, until: str) -> None:
    facts = gather(make_run(tmp_path, until))
    parts = {
        "prepare": facts.data,
        "finetune": facts.training,
        "merge": facts.merge,
        "convert": facts.memory,
        "verify": facts.comparison,
    }
    assert {stage for stage, part in parts.items() if part is None} == set(parts) & facts.missing.keys()
    assert facts.missing["verify"] == "the result of verify is missing"


def test_results_made_from_an_earlier_result_are_missing(copy: Path, tmp_path: Path) -> None:
    with Run(copy) as run:
        reported_run.convert(recipe(tmp_path), run, seed=2)
    facts = gather(copy)
    assert facts.comparison is None
    assert facts.missing["verify"] == "the result of verify was made from an earlier result of convert"
    assert facts.memory is not None


def test_the_report_of_a_refused_model_is_the_comparison_until_it_is_converted_again(
    copy: Path, tmp_path: Path
) -> None:
    refuse(Run(copy))
    comparison = gather(copy).comparison
    assert comparison
    assert (comparison.refused, comparison.outcome, comparison.overall.runtime) == (True, "failed", 0.0)
    assert gather(copy).products == []  # a refused model is not for the phone
    with Run(copy) as run:
        reported_run.convert(recipe(tmp_path), run, seed=2)
    assert gather(copy).comparison is None


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"contains no results; choose a run folder with --run"):
        gather(tmp_path)


def test_a_damaged_file_is_named(copy: Path) -> None:
    (copy / "verify" / "answers.jsonl").write_text('{"question": "What', encoding="utf-8")
    with pytest.raises(InputError, match=r"answers\.jsonl: damaged \(.*\); run the stage again with --force"):
        gather(copy)


def test_answers_with_line_separators_of_unicode_are_whole(copy: Path) -> None:
    path = copy / "verify" / "answers.jsonl"
    path.write_text(
        path.read_text(encoding="utf-8").replace("What is 1?", "What\u2028is 1?"), encoding="utf-8"
    )
    comparison = gather(copy).comparison
    assert comparison and comparison.mistakes[1].question == "What\u2028is 1?"


def test_without_the_prepared_examples_it_is_not_known_where_the_questions_are_from(copy: Path) -> None:
    shutil.rmtree(copy / "prepare")
    comparison = gather(copy).comparison
    assert comparison and (comparison.split, comparison.caveat) == ("", "")


def test_without_other_examples_the_questions_are_training_examples(tmp_path: Path) -> None:
    folder = make_run(tmp_path, validation_share=0, test=None)
    comparison = gather(folder).comparison
    assert comparison and comparison.split == "training"
    assert comparison.caveat.startswith("These are training examples")


@pytest.mark.parametrize("gone", [True, False])
def test_a_comparison_without_answers_is_refused(copy: Path, gone: bool) -> None:
    answers = copy / "verify" / "answers.jsonl"
    if gone:
        answers.unlink()
    else:
        answers.write_text("", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"answers\.jsonl: missing or empty; run: pocketgemma verify --force"
    ):
        gather(copy)


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_the_summary_of_an_earlier_version_is_read(copy: Path) -> None:
    def earlier(summary: dict[str, Any]) -> None:
        del summary["near_leaks"]
        for file in summary["files"].values():
            del file["decisions"], file["dropped_missing"]

    change_json(copy / "prepare" / "summary.json", earlier)
    data = gather(copy).data
    assert data and data.files[0].read_as == []
    assert data.files[0].effects == [("duplicates dropped", 1)]


def test_the_proof_of_an_earlier_version_is_read(copy: Path) -> None:
    def earlier(manifest: dict[str, Any]) -> None:
        del manifest["details"]["changed"], manifest["details"]["formula"]

    change_json(copy / "merge" / "manifest.json", earlier)
    merge = gather(copy).merge
    assert merge and (merge.changed, merge.formula) == ("weights", "the expected value")


def test_which_answers_of_a_conversation_are_learned_is_a_note(tmp_path: Path) -> None:
    turns = [
        {"role": role, "content": f"{role} {number}"} for number in (1, 2) for role in ("user", "assistant")
    ]
    rows = [{"messages": turns}, pair("What is it?", "It.")]
    train = write_jsonl(tmp_path / "turns.jsonl", rows)
    folder = make_run(tmp_path, "prepare", train=str(train), validation_share=0, loss="last", test=None)
    data = gather(folder).data
    assert data
    assert "The model is trained on 2 of the 3 answers of train (data.loss: last)." in data.notes


def test_settings_that_are_off_are_not_shown(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "finetune")
    training = gather(folder).training
    assert training
    assert not {"lora_plus_ratio", "quantize_base", "rematerialize"} & training.settings.keys()
    assert training.settings.items() >= {"scaling": "classic", "dropout": 0.0, "seed": 0}.items()

    def change(manifest: dict[str, Any]) -> None:
        manifest["settings"] |= {"quantize_base": "int4", "rematerialize": True, "lora_plus_ratio": 16.0}

    change_json(folder / "finetune" / "manifest.json", change)
    training = gather(folder).training
    assert training
    assert (
        training.settings.items()
        >= {
            "quantize_base": "int4",
            "rematerialize": True,
            "lora_plus_ratio": 16.0,
        }.items()
    )


def test_settings_of_low_rank_factors_are_not_shown_without_any(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LORA, "low_rank", False)
    training = gather(run_folder).training
    assert training and "learning_rate" in training.settings
    assert not {"scaling", "lora_plus_ratio", "quantize_base"} & training.settings.keys()


@pytest.mark.parametrize("label", START_WEIGHTS)
def test_the_adapter_that_training_started_from_is_known_by_its_digest(copy: Path, label: str) -> None:
    training = gather(copy).training
    assert training and training.start is None
    entry = {"name": label, "bytes": 1, "sha256": "ab" * 32}
    change_json(copy / "finetune" / "manifest.json", lambda manifest: manifest["inputs"].append(entry))
    training = gather(copy).training
    assert training and training.start == "ab" * 32
