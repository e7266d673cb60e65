"""Promise: the page about a run is there after each stage command, and the command writes and opens it."""

import importlib
import shutil
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.console import Output
from pipeline.errors import PocketGemmaError
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.run.stages import STAGES
from tests.support.recipes import recipe as write_recipe
from tests.support.reported_run import STEPS, make_run, recipe, refuse


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, "prepare")


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages of the command line take seconds instead of minutes."""

    def replaced(stage: str) -> Any:
        def run(config: Config, run: Run, *, force: bool) -> None:
            STEPS[stage](config, run)

        return run

    for stage in STAGES:
        if stage in STEPS:
            module = importlib.import_module(f"pipeline.stages.{stage}")
            monkeypatch.setattr(module, "run", replaced(stage))


def pocketgemma(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def options(folder: Path) -> tuple[str | Path, ...]:
    document = recipe(folder).model_dump(mode="json", include={"name", "model", "data"})
    return "--config", write_recipe(folder, document), "--run", folder / "run"


@pytest.mark.slow
@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize(("stage", "written"), [("prepare", False), ("finetune", True), ("bundle", True)])
def test_a_stage_command_from_finetune_on_writes_the_page(tmp_path: Path, stage: str, written: bool) -> None:
    output = pocketgemma(stage, *options(tmp_path))
    page = tmp_path / "run" / "report.html"
    assert page.exists() == written
    assert (f"report: {page}" in output) == written


@pytest.mark.slow
@pytest.mark.usefixtures("stages")
def test_the_page_shows_a_model_that_verify_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(config: Config, run: Run, *, force: bool) -> None:
        refuse(run)
        raise PocketGemmaError("12 matrices differ")

    monkeypatch.setattr("pipeline.stages.verify.run", refused)
    with pytest.raises(PocketGemmaError, match="12 matrices differ"):
        pocketgemma("verify", *options(tmp_path))
    assert "<strong>Refused.</strong>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("stages")
def test_a_report_that_fails_costs_no_stage_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(root: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.report.write.write_report", broken)
    output = pocketgemma("finetune", *options(tmp_path))
    assert (tmp_path / "run" / "finetune" / "manifest.json").exists()
    assert "warning: the report was not written: [Errno 28]" in output


@pytest.mark.slow
@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize("stage", ["merge", "convert", "bundle"])
@pytest.mark.parametrize("error", [PocketGemmaError("the disk is full"), ZeroDivisionError("by nothing")])
def test_after_a_stage_that_failed_the_page_shows_the_stages_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    def failing(config: Config, run: Run, *, force: bool) -> None:
        raise error

    monkeypatch.setattr(f"pipeline.stages.{stage}.run", failing)
    with pytest.raises(type(error), match=str(error)):
        pocketgemma(stage, *options(tmp_path))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "trainable parameters" in page
    assert f"The result of {stage} is missing" in page


@pytest.mark.usefixtures("stages")
def test_a_report_that_fails_hides_no_error_of_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any, **options: Any) -> None:
        raise PocketGemmaError("the disk is full")

    def broken(root: Path) -> Path:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("pipeline.stages.merge.run", failing)
    monkeypatch.setattr("pipeline.report.write.write_report", broken)
    with pytest.raises(PocketGemmaError, match="the disk is full"):
        pocketgemma("merge", *options(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "terminal", "display", "opened"),
    [
        ((), True, ":0", True),
        (("--no-open",), True, ":0", False),
        ((), True, "", False),
        ((), False, ":0", False),
    ],
)
def test_the_page_is_opened_where_a_browser_has_a_screen(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    terminal: bool,
    display: str,
    opened: bool,
) -> None:
    pages: list[str] = []
    monkeypatch.setattr(webbrowser, "open", pages.append)
    monkeypatch.setattr(Output, "is_terminal", terminal)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    pocketgemma("report", "--run", run, *arguments)
    assert pages == ([(run / "report.html").as_uri()] if opened else [])


def test_the_page_can_be_written_while_a_stage_is_at_work(run: Path) -> None:
    with Run(run):
        pocketgemma("report", "--run", run, "--no-open")
    assert (run / "report.html").exists()


def test_a_copy_of_a_run_folder_has_a_report(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    pocketgemma("report", "--run", tmp_path / "copy", "--no-open")
    assert (tmp_path / "copy" / "report.html").exists()
