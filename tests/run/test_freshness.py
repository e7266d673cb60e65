"""A result is up to date only if everything that determines it is as recorded, and the reason for a rerun is
printed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.run import folder
from pipeline.run.folder import Run

BASIC: dict[str, Any] = {
    "settings": {"rank": 8, "targets": ["query"]},
    "packages": ("keras", "torch"),
    "sources": {"pipeline code": "1"},
}


class Machine:
    """The installed packages, as the run folder sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.versions = {"keras": "3.15.1", "torch": "2.13.0", "numpy": "2.0.0"}
        monkeypatch.setattr(folder, "package_versions", lambda: dict(self.versions))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def make(run: Run, stage: str = "convert", **determinants: Any) -> None:
    with run, run.stage(stage, **(BASIC | determinants)) as work:
        if not work.up_to_date:
            (work.folder / "result.txt").write_text("result")


def printed(capsys: pytest.CaptureFixture[str], *what: Any, **determinants: Any) -> str:
    """The first line that a stage prints."""
    capsys.readouterr()
    make(*what, **determinants)
    return capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"settings": {"rank": 16, "targets": ["query"]}}, "settings changed (rank: 8 → 16)"),
        (
            {"settings": {"rank": None, "targets": ["query", "value"], "new": "x"}},
            'settings changed (new: none → x, rank: 8 → none, targets: ["query"] → ["query", "value"])',
        ),
        ({"sources": {"pipeline code": "2"}}, "pipeline code changed"),
        ({"sources": {"pipeline code": "1", "signing key": "a"}}, "signing key changed"),
        ({"packages": ("keras", "torch", "jax")}, None),
        ({"force": True}, "--force"),
    ],
)
def test_the_reason_for_a_rerun_is_printed(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str], change: Mapping[str, Any], reason: str
) -> None:
    make(run)
    expected = f"▸ convert   rerun: {reason}" if reason else "✓ convert   up to date"
    assert printed(capsys, run, **change) == expected


def test_a_deciding_package_with_another_version_runs_a_stage_again(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    make(run)
    machine.versions["numpy"] = "2.1.0"
    assert printed(capsys, run) == "✓ convert   up to date"
    machine.versions["keras"] = "3.16.0"
    assert printed(capsys, run) == "▸ convert   rerun: keras 3.15.1 → 3.16.0"
    assert printed(capsys, run) == "✓ convert   up to date"
    del machine.versions["torch"]
    assert printed(capsys, run) == "▸ convert   rerun: torch 2.13.0 → not installed"


def test_a_stage_that_is_kept_tells_the_versions(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    make(run, "finetune", keep=True)
    machine.versions["keras"] = "3.16.0"
    assert (
        printed(capsys, run, "finetune", keep=True, sources={"pipeline code": "2"})
        == "✓ finetune  up to date (made with keras 3.15.1; installed: keras 3.16.0)"
    )
    assert "rerun: settings" in printed(capsys, run, "finetune", keep=True, settings={})


def test_a_changed_input_and_a_new_result_before_are_named(
    run: Run, machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text("one")
    make(run, "merge")
    chain: dict[str, Any] = {"after": ("merge",), "inputs": {"train": file}}
    make(run, **chain)
    assert printed(capsys, run, **chain) == "✓ convert   up to date"
    file.write_text("two")
    make(run, "merge", settings={})
    assert printed(capsys, run, **chain) == "▸ convert   rerun: input changed (train); merge has a new result"


def test_modified_and_damaged_results_are_named(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    make(run)
    (run.folder("convert") / "result.txt").write_text("edited")
    assert printed(capsys, run) == "▸ convert   rerun: its files were modified (changed: result.txt)"
    run.files.convert.manifest.write_text("{}")
    assert printed(capsys, run).startswith("▸ convert   rerun: its manifest is damaged (missing or of")


def test_a_manifest_of_format_1_is_out_of_date_unless_the_stage_is_kept(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    for stage, keep in (("finetune", True), ("convert", False)):
        make(run, stage, keep=keep)
        path = run.files.stage(stage).manifest
        document = json.loads(path.read_text())
        del document["format"], document["sources"]
        document["places"] = document.pop("input_paths")
        path.write_text(json.dumps(document))
    assert printed(capsys, run, "finetune", keep=True) == "✓ finetune  up to date"
    assert printed(capsys, run) == "▸ convert   rerun: recorded by another version of PocketGemma"


def test_recorded_settings_are_compared_in_the_form_of_today(
    run: Run, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    def today(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"method": "lora"} | dict(recorded, targets=tuple(sorted(recorded["targets"])))

    make(run, settings={"rank": 8, "targets": ["value", "query"]})
    grown = {"rank": 8, "targets": ("query", "value"), "method": "lora"}
    assert printed(capsys, run, settings=grown, in_one_form=today) == "✓ convert   up to date"
    assert printed(capsys, run, settings=grown | {"method": "dora"}, in_one_form=today) == (
        "▸ convert   rerun: settings changed (method: lora → dora)"
    )
    assert "none → 1" in printed(capsys, run, settings=grown | {"x": 1}, in_one_form=today)
