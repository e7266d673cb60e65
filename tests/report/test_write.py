"""Promise: the page is written whole or not at all, only when it changes, and never costs a stage its
result."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.report import card, write
from pipeline.report.write import refresh, write_report
from pipeline.run.folder import Run
from tests.support.reported_run import make_run, refuse


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def test_page_and_card_are_written_beside_the_stages(copy: Path) -> None:
    before = {path.name for path in copy.iterdir()}
    assert write_report(copy) == copy / "report.html"
    assert {path.name for path in copy.iterdir()} - before == {"report.html", "model-card.md"}


def test_without_a_merged_model_there_is_no_card(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "finetune")
    write_report(folder)
    assert (folder / "report.html").exists() and not (folder / "model-card.md").exists()


def test_what_would_not_change_is_not_touched(copy: Path) -> None:
    write_report(copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    write_report(copy)
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}


def test_a_folder_that_takes_no_file_is_one_line(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        InputError, match=r"model-card\.md: cannot be written: No space left on device; check"
    ):
        write_report(copy)
    assert not (copy / "report.html").exists()


def test_after_a_stage_that_was_up_to_date_the_page_is_not_made_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def count(root: Path) -> Path:
        made.append(root)
        return write_report(root)

    monkeypatch.setattr(write, "write_report", count)
    refresh(copy)
    refresh(copy)
    assert made == [copy]
    (copy / "verify" / "manifest.json").touch()
    refresh(copy)
    assert made == [copy, copy]


def test_a_failure_is_a_warning_after_a_stage(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(copy)
    assert capsys.readouterr().out.strip() == f"report: {copy / 'report.html'}"

    def broken(root: Path) -> Path:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(write, "write_report", broken)
    (copy / "report.html").unlink()
    refresh(copy)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the report was not written: by nothing; run: pocketgemma report --run")


def test_a_model_card_that_was_deleted_is_written_again(copy: Path) -> None:
    refresh(copy)
    (copy / "model-card.md").unlink()
    refresh(copy)
    assert (copy / "model-card.md").exists()


def test_a_model_card_of_an_earlier_training_is_removed(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(copy)
    with Run(copy) as run, run.stage("finetune", settings={"seed": 1}, after=("download", "prepare")) as work:
        shutil.copytree(copy / "finetune", work.folder, dirs_exist_ok=True)
        (work.folder / "manifest.json").unlink()
    refresh(copy)
    assert not (copy / "model-card.md").exists()
    assert f"{copy / 'model-card.md'}: removed" in capsys.readouterr().out.replace("\n", " ")
    assert "model-card.md" not in (copy / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", ["download", "finetune"])
def test_without_the_base_or_the_training_there_is_a_page_and_no_card(copy: Path, stage: str) -> None:
    shutil.rmtree(copy / stage)
    write_report(copy)
    assert (copy / "report.html").exists() and not (copy / "model-card.md").exists()


def test_if_the_card_fails_the_page_is_not_up_to_date(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(facts: object) -> str:
        raise ZeroDivisionError("by nothing")

    with monkeypatch.context() as patched:
        patched.setattr(card, "render_card", broken)
        refresh(copy)
    assert not (copy / "report.html").exists()
    refresh(copy)
    assert (copy / "report.html").exists() and (copy / "model-card.md").exists()


def test_the_page_is_made_again_when_a_refusal_is_withdrawn(copy: Path) -> None:
    run = Run(copy)
    refuse(run)
    refresh(copy)
    assert "<strong>Refused.</strong>" in (copy / "report.html").read_text(encoding="utf-8")
    run.files.logs.refused_conversion.unlink()
    refresh(copy)
    assert "<strong>Verified.</strong>" in (copy / "report.html").read_text(encoding="utf-8")
