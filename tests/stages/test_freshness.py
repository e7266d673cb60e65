"""What each stage declares to determine its result: after an upgrade, the right stages run again, and
training is kept."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.machine import PACKAGES
from pipeline.recipe.schema import Config
from pipeline.run import folder
from pipeline.run.folder import Run, Work
from pipeline.stages import bundle, convert, download, finetune, merge, prepare, verify
from tests.support.imports import imported_modules, rooms

MODULES = {
    "download": download,
    "prepare": prepare,
    "finetune": finetune,
    "merge": merge,
    "convert": convert,
    "verify": verify,
    "bundle": bundle,
}
KEPT = ("download", "prepare", "finetune")
DECIDING = ("merge", "convert", "verify", "bundle")
WITHOUT_EFFECT = {"inspect", "recipe", "run", "stages"}
"""Rooms that read and print, or whose effect is in the settings of a stage."""


class Recorder(Run):
    """Notes what stages declare, and does none of their work."""

    declared: dict[str, dict[str, Any]]

    @contextmanager
    def stage(self, name: str, **declared: Any) -> Iterator[Work]:
        self.declared[name] = declared
        yield Work(name, self.folder(name), up_to_date=True)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each stage tells its run folder about a small recipe."""
    work = tmp_path_factory.mktemp("declared")
    (work / "train.jsonl").write_text("{}\n")
    config = Config.model_validate(
        {
            "name": "small",
            "data": {"train": str(work / "train.jsonl")},
            "finetune": {"backend": "torch"},
        }
    )
    recorder = Recorder(work / "run")
    recorder.declared = {}
    for module in MODULES.values():
        module.run(config, recorder)
    return recorder.declared


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The installed packages, all in version 1."""
    found = dict.fromkeys(PACKAGES, "1")
    monkeypatch.setattr(folder, "package_versions", lambda: dict(found))
    return found


def up_to_date(run: Run, declared: dict[str, dict[str, Any]], *, changing: tuple[str, ...] = ()) -> set[str]:
    """Run all stages with results of one file each; those that were up to date. Results of `changing` are new
    each time."""
    found = set()
    with run:
        for name, determinants in declared.items():
            with run.stage(name, **determinants) as work:
                if work.up_to_date:
                    found.add(name)
                elif name in changing:
                    (work.folder / "result").write_bytes(name.encode() + str(work.folder.stat()).encode())
                else:
                    (work.folder / "result").write_text(name)
    return found


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("litert-torch", {"convert"}),
        ("ai-edge-quantizer", {"convert"}),
        ("litert-lm-api", {"verify", "bundle"}),
        ("keras", {"merge", "verify"}),
        ("keras-hub", {"merge", "convert", "verify"}),
        ("transformers", {"merge", "convert"}),
        ("torch", {"merge", "convert", "verify"}),
        ("jax", set()),
    ],
)
def test_after_an_upgrade_the_stages_that_it_decides_run_again(
    tmp_path: Path,
    declared: dict[str, dict[str, Any]],
    versions: dict[str, str],
    package: str,
    expected: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(tmp_path)
    assert up_to_date(run, declared) == set()
    assert up_to_date(run, declared) == set(MODULES)
    capsys.readouterr()
    versions[package] = "2"
    assert set(MODULES) - up_to_date(run, declared) == expected
    output = capsys.readouterr().out
    for stage in expected:
        assert f"▸ {stage:9} rerun: {package} 1 → 2\n" in output
    assert up_to_date(run, declared) == set(MODULES)


def test_a_new_result_runs_all_stages_after_it_again_and_they_say_so(
    tmp_path: Path,
    declared: dict[str, dict[str, Any]],
    versions: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(tmp_path)
    up_to_date(run, declared)
    capsys.readouterr()
    versions["keras-hub"] = "2"
    assert up_to_date(run, declared, changing=("merge", "convert")) == set(KEPT)
    output = capsys.readouterr().out
    assert "▸ convert   rerun: merge has a new result; keras-hub 1 → 2\n" in output
    assert "▸ verify    rerun: convert has a new result; merge has a new result; keras-hub 1 → 2\n" in output
    assert "▸ bundle    rerun: convert has a new result" in output


def test_a_finished_training_is_kept_and_names_the_versions(
    tmp_path: Path,
    declared: dict[str, dict[str, Any]],
    versions: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(tmp_path)
    up_to_date(run, declared)
    capsys.readouterr()
    versions.update(dict.fromkeys(PACKAGES, "2"))
    assert up_to_date(run, declared) == set(KEPT)
    assert (
        "✓ finetune  up to date (made with keras 1, keras-hub 1, torch 1; installed: keras 2, keras-hub 2, "
        "torch 2)" in capsys.readouterr().out.splitlines()
    )


def test_results_of_an_older_pocketgemma_are_made_again_except_for_training(
    tmp_path: Path, declared: dict[str, dict[str, Any]], versions: dict[str, str]
) -> None:
    run = Run(tmp_path)
    up_to_date(run, declared)
    for name in MODULES:
        path = run.files.stage(name).manifest
        document = json.loads(path.read_text())
        document["places"] = document.pop("input_paths")
        del document["format"], document["sources"]
        path.write_text(json.dumps(document))
    assert up_to_date(run, declared) == set(KEPT)


@pytest.mark.parametrize("stage", DECIDING)
def test_changed_code_runs_the_stage_again(
    tmp_path: Path, declared: dict[str, dict[str, Any]], versions: dict[str, str], stage: str
) -> None:
    run = Run(tmp_path)
    up_to_date(run, declared)
    changed = declared[stage] | {"sources": declared[stage]["sources"] | {"pipeline code": "changed"}}
    assert set(MODULES) - up_to_date(run, declared | {stage: changed}) == {stage}


@pytest.mark.parametrize("stage", DECIDING)
def test_a_stage_declares_all_code_that_it_imports(stage: str) -> None:
    imported = imported_modules(f"pipeline.stages.{stage}")
    needed = rooms(imported) - WITHOUT_EFFECT | {f"stages/{stage}.py"}
    if "pipeline.recipe.model_specs" in imported:
        needed.add("recipe/model_specs.py")
    assert needed <= set(MODULES[stage].CODE)


def test_declared_packages_are_recorded_in_manifests(declared: dict[str, dict[str, Any]]) -> None:
    for determinants in declared.values():
        assert set(determinants.get("packages", ())) <= set(PACKAGES)
