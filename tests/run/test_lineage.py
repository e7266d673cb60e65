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
