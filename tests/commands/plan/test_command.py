"""Promise: the plan is printed part by part, and says whether training fits."""

import re
from pathlib import Path

import psutil
import pytest

from pipeline.commands.plan import command
from pipeline.commands.plan.command import plan
from pipeline.errors import InputError, PocketGemmaError
from pipeline.plan.training_time import Time
from pipeline.recipe.reading import load_config

ROOT = Path(__file__).parents[3]
SCIENCE = ROOT / "configs" / "science.yaml"


def printed(
    capsys: pytest.CaptureFixture[str], folder: Path, *settings: str, on: str = "this", probe: bool = False
) -> tuple[bool, str]:
    fits = plan(load_config(SCIENCE, list(settings)), folder / "run", on, probe=probe)
    return fits, " ".join(capsys.readouterr().out.split())


def test_the_plan_of_the_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fits, text = printed(capsys, tmp_path)
    assert fits
    assert text.startswith("demo: gemma3: 6 layers")
    for part in (
        "memory of training",
        "weights of the base",
        "activations of 32 examples at once",
        "together",
    ):
        assert part in text
    for stage in ("finetune", "merge", "convert", "verify", "bundle"):
        assert re.search(rf"\b{stage} \d", text)
    assert "flagship (Galaxy S24 Ultra): more than 100 tokens per second" in text
    assert "training fits: " in text


def test_the_measured_time_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time((300.0, 300.0), (1234.0, 1234.0), "measured on this machine")
    monkeypatch.setattr(command, "measured_time", lambda *_, **__: time)
    _, text = printed(capsys, tmp_path, probe=True)
    assert "5 min" in text
    assert "1,234 tokens per second: measured on this machine" in text


def test_a_named_machine_has_a_range(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fits, text = printed(capsys, tmp_path, on="kaggle-t4x2")
    assert fits
    assert "assumes 10 to 40 % of its 8 TFLOPS" in text
    assert "training uses one of the 2 chips" in text
    assert "of 16.0 GB on two NVIDIA T4" in text


def test_a_training_that_does_not_fit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available = 10**8

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    fits, text = printed(capsys, tmp_path)
    assert not fits
    assert "training does not fit: " in text and "but this machine has 0.1 GB" in text
    assert "no setting is enough" in text


def test_an_unknown_machine(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--on rtx: unknown machine; expected this, t4, "):
        plan(load_config(SCIENCE, []), tmp_path, "rtx", probe=False)


def test_an_accelerator_of_this_machine(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_accelerator", lambda: "gpu")
    fits, text = printed(capsys, tmp_path, probe=True)
    assert fits and "plan for one with --on" in text
    assert "measured on this machine" not in text


def test_a_measurement_that_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Time:
        raise PocketGemmaError("measuring failed: no room; see its output in /gone/log")

    monkeypatch.setattr(command, "measured_time", fail)
    fits, text = printed(capsys, tmp_path, probe=True)
    assert fits
    assert "the speed is unknown: measuring failed: no room" in text and "/gone/log" not in text


def test_a_small_model_trains_in_float32_elsewhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "in float32" in printed(capsys, tmp_path, on="l4")[1]


def test_a_run_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="is a file"):
        plan(load_config(SCIENCE, []), tmp_path / "run", "this", probe=False)
