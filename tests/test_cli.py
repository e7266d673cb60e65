"""The command line: help, exit codes, one line for an error, and nothing heavy imported for the help."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.run.stages import STAGES

ROOT = Path(__file__).parents[1]
HEAVY = (
    "numpy",
    "keras",
    "torch",
    "jax",
    "tensorflow",
    "transformers",
    "litert_torch",
    "litert_lm",
    "pyarrow",
    "pydantic",
    "matplotlib",
    "jinja2",
)


def pocketgemma(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipeline", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def command_names() -> list[str]:
    return list(get_command(app).commands)  # type: ignore[attr-defined]


def test_help_names_every_command_and_the_exit_codes() -> None:
    result = pocketgemma("--help")
    assert result.returncode == 0
    commands = command_names()
    others = {"run", "plan", "publish", "chat", "adapter", "graft", "eval", "report", "trace", "inspect"}
    assert set(commands) == set(STAGES) | others | {"doctor"}
    assert [name for name in commands if f"\n  {name} " not in result.stdout] == []
    assert "0 success, 1 a stage or a check failed" in result.stdout
    assert "2 unusable input" in result.stdout


def test_the_version_is_that_of_the_package() -> None:
    done = pocketgemma("--version")
    assert (done.returncode, done.stdout) == (0, f"pocketgemma {version('pocketgemma')}\n")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['pocketgemma', '--help']\n"
        "from pipeline.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "heavy: []" in result.stdout


@pytest.mark.slow
def test_the_help_of_every_command_explains_each_option() -> None:
    for command in command_names():
        shown = pocketgemma(command, "--help").stdout
        options = [line.split(None, 1) for line in shown.splitlines() if line.startswith("  --")]
        assert {"--debug", "--help"} <= {name for name, *_ in options}, command
        assert [name for name, *text in options if not text] == [], command


@pytest.mark.slow
def test_only_roundings_that_need_no_examples_can_be_grafted_by_hand(tmp_path: Path) -> None:
    files = [
        part for name in ("base", "adapter", "preset", "out") for part in (f"--{name}", str(tmp_path / name))
    ]
    result = pocketgemma("graft", *files, "--rounding", "gptq")
    assert result.returncode == 2
    assert result.stderr.strip() == "error: --rounding gptq: expected one of nearest, least_squares"
    assert "--rounding" not in pocketgemma("graft", *files, "--rounding", "least_squares").stderr


@pytest.mark.parametrize("stage", ["download", "finetune", "deploy", "run"])
def test_every_stage_takes_the_common_options(stage: str) -> None:
    shown = pocketgemma(stage, "--help").stdout
    assert [
        option for option in ("--config", "--run", "--set", "--force", "--debug") if option not in shown
    ] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prepare", "--config", "missing.yaml"), "missing.yaml: no such recipe"),
        (("prepare", "--set", "finetune.ranks=4"), "finetune.ranks: unknown key; did you mean 'rank'?"),
        (("prepare", "--set", "convert.recipe=int5"), "convert.recipe: expected one of int8, int4"),
        (("prepare", "--run", "Makefile"), "Makefile: is a file; --run expects a folder"),
        (("download", "--set", "model.preset=/nowhere/gemma"), "/nowhere/gemma: no such folder"),
        (
            ("run", "--set", "data.train=/nowhere/t.csv", "--set", "model.preset=/nowhere/gemma"),
            "error: data.train: /nowhere/t.csv: no such file or folder; check the data section",
        ),
    ],
)
def test_unusable_input_is_one_line_without_a_traceback_and_exit_code_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    if "--run" not in arguments:
        arguments = (*arguments, "--run", str(tmp_path / "run"))
    result = pocketgemma(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = pocketgemma("prepare", "--config", "missing.yaml", "--debug")
    assert "Traceback" in result.stderr


def test_an_unknown_command_is_unusable_input() -> None:
    assert pocketgemma("fintune").returncode == 2


def test_the_message_for_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    result = pocketgemma("chat", "--prompt", "Hello", "--run", str(tmp_path / "empty"))
    assert result.returncode == 2
    assert "no result of convert yet; run: pocketgemma convert" in result.stderr


@pytest.mark.slow
def test_inspecting_gives_json_or_one_line(tmp_path: Path) -> None:
    from tests.support.tflite import Constant, write_tflite

    path = write_tflite(tmp_path / "m.tflite", [Constant(("m",), (6, 64), "INT8", bytes(384), 6)])
    result = pocketgemma("inspect", str(path), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["models"][0]["matrices"][0]["scales"] == "row"
    assert "6×64" in pocketgemma("inspect", str(path)).stdout
    result = pocketgemma("inspect", str(tmp_path / "nothing"))
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)


def test_the_address_of_questions_on_a_hub_is_kept_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.commands import eval as command

    asked: list[object] = []
    monkeypatch.setattr(command, "ask_file", lambda run, config, data, **options: asked.append(data))
    recipe = str(ROOT / "configs" / "science.yaml")
    arguments = ["eval", "--data", "hf://datasets/a/b", "--config", recipe, "--run", str(tmp_path / "run")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert asked == ["hf://datasets/a/b"]
