import json
from pathlib import Path

import pytest

from pipeline.digests import sha256_of_file
from pipeline.run.folder import Run
from pipeline.run.lineage import inputs_with, outputs_with, recorded, run_folders, walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run folder with two stages."""
    (tmp_path / "train.jsonl").write_text("examples")
    with Run(tmp_path / "runs/one") as run:
        with run.stage("download", settings={}) as work:
            (work.folder / "config.json").write_text("preset")
            work.details.update(preset="hf://owner/gemma", version="a1")
        inputs = {"train": tmp_path / "train.jsonl"}
        with run.stage("prepare", settings={}, after=("download",), inputs=inputs) as work:
            (work.folder / "train.jsonl").write_text("prepared")
    return run.root


def links(root: Path) -> list[tuple[str, bool]]:
    return [(link.what, link.intact) for link in walk(root, "prepare")]


def test_the_way_back_passes_results_earlier_stages_and_inputs(root: Path) -> None:
    assert links(root) == [
        ("prepare/", True),
        ("download → prepare", True),
        ("train.jsonl → prepare", True),
        ("download/", True),
        ("hf://owner/gemma → download", True),
    ]


def test_a_broken_link_does_not_end_the_way(root: Path) -> None:
    (root.parents[1] / "train.jsonl").write_text("other examples")
    (root / "download/config.json").write_text("other preset")
    assert links(root) == [
        ("prepare/", True),
        ("download → prepare", True),
        ("train.jsonl → prepare", False),
        ("download/", False),
        ("hf://owner/gemma → download", True),
    ]


def test_files_are_found_by_digest(root: Path) -> None:
    (output,) = outputs_with([root], sha256_of_file(root / "prepare/train.jsonl"))
    assert (output.stage, output.name, output.path) == (
        "prepare",
        "train.jsonl",
        root / "prepare/train.jsonl",
    )
    given = sha256_of_file(root.parents[1] / "train.jsonl")
    assert list(inputs_with([root], "prepare", given)) == ["train"]
    assert list(inputs_with([root], "download", given)) == []
    assert list(outputs_with([root], given)) == []


def test_run_folders_are_found_by_their_manifests(root: Path) -> None:
    assert run_folders(root) == run_folders(root.parent) == [root]
    assert run_folders(root.parents[1]) == run_folders(root / "missing") == []


def test_the_reason_for_a_missing_manifest_is_given(root: Path) -> None:
    assert recorded(root, "merge") == "the result of merge is missing"
    path = root / "prepare/manifest.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in document.items() if key != "settings"}))
    assert (
        recorded(root, "prepare")
        == "prepare/manifest.json is damaged: missing or of the wrong type: settings"
    )


def finetuned(root: Path, start: Path | None) -> Path:
    """A run with an adapter that was trained from another one."""
    inputs = {"start": start} if start else {}
    with Run(root) as run:
        with run.stage("prepare", settings={}) as work:
            (work.folder / "train.jsonl").write_text(root.name)
        with run.stage("finetune", settings={}, after=("prepare",), inputs=inputs) as work:
            (work.folder / "adapter.safetensors").write_text(root.name)
    return run.files.finetune.adapter


def test_the_way_back_passes_the_adapter_that_training_started_from(tmp_path: Path) -> None:
    first = finetuned(tmp_path / "first", None)
    finetuned(tmp_path / "second", first)
    found = list(walk(tmp_path / "second", "finetune"))
    assert [(link.what, link.intact) for link in found] == [
        ("finetune/", True),
        ("prepare → finetune", True),
        ("adapter.safetensors → finetune", True),
        ("prepare/", True),
        ("no input → prepare", True),
        ("finetune/", True),
        ("prepare → finetune", True),
        ("prepare/", True),
        ("no input → prepare", True),
    ]
    digest = sha256_of_file(first)
    assert found[2].detail == f"start: {first} (sha256 {digest[:12]}…)"
    first.write_text("another")
    assert [link.what for link in walk(tmp_path / "second", "finetune") if not link.intact] == [
        "adapter.safetensors → finetune",
        "finetune/",
    ]


def test_two_runs_that_started_from_each_other_are_passed_once(tmp_path: Path) -> None:
    first = finetuned(tmp_path / "first", None)
    second = finetuned(tmp_path / "second", first)
    finetuned(tmp_path / "first", second)
    assert [link.what for link in walk(tmp_path / "second", "finetune")].count("finetune/") == 2
