import os
import shlex
from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from pipeline.stages import deploy

APP = "io.pocketgemma.chat"

CONFIG = Config.model_validate({"name": "metals", "data": {"train": "unused"}})

PHONE = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
  "devices -l") printf 'List of devices attached\\nR5CT device model:Pixel_9\\n' ;;
  *install*) [ -z "$FULL" ] && echo Success || echo 'Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE]' ;;
  *sha256sum*) [ -e {stored} ] && sha256sum {stored} ;;
  *" push "*) cp "$4" {stored} ;;
esac
exit 0
"""


def bundled(tmp_path: Path, *, pushed: bool = False, base: bool = False) -> Run:
    run = Run(tmp_path / "run")
    with run.stage("bundle", settings={}) as work:
        (work.folder / "metals.apk").write_bytes(b"an apk")
        if pushed:
            (work.folder / "model.litertlm").write_bytes(b"a large model")
        if base:
            (work.folder / "base.litertlm").write_bytes(b"its base")
    return run


@pytest.fixture
def no_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that plays a phone; returns the file that records its calls."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    (folder / "adb").write_text(PHONE.format(log=log, stored=tmp_path / "stored"))
    (folder / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return log


def test_without_a_phone_it_prints_instructions_and_then_the_path(
    tmp_path: Path, no_phone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bundled(tmp_path)
    deploy.run(CONFIG, run)
    printed = capsys.readouterr().out
    apk = run.folder("bundle") / "metals.apk"
    assert f"adb install -r {apk}" in printed
    assert "copy the APK to the phone" in printed
    assert printed.strip().splitlines()[-1] == str(apk)


def test_the_written_instructions_outlive_a_move_of_the_run(
    tmp_path: Path, no_phone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.run(CONFIG, bundled(tmp_path, pushed=True))
    moved = tmp_path / "Umlaut ü $HOME [1]"
    (tmp_path / "run").rename(moved)
    run = Run(moved)
    commands = [
        shlex.split(line)
        for line in run.files.deploy.instructions.read_text().splitlines()
        if line.startswith("  adb")
    ]
    named = [command[3] if command[1] == "install" else command[2] for command in (commands[0], commands[2])]
    folder = run.files.deploy.folder
    assert [(folder / name).read_bytes() for name in named] == [b"an apk", b"a large model"]

    capsys.readouterr()
    deploy.run(CONFIG, run)
    printed = capsys.readouterr().out
    assert "up to date" in printed
    (install,) = [shlex.split(line) for line in printed.splitlines() if "adb install" in line]
    assert Path(install[3]).read_bytes() == b"an apk"


def test_a_second_run_is_up_to_date_and_still_ends_with_the_path(
    tmp_path: Path, no_phone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bundled(tmp_path)
    deploy.run(CONFIG, run)
    capsys.readouterr()
    deploy.run(CONFIG, run)
    printed = capsys.readouterr().out
    assert "up to date" in printed
    assert printed.strip().splitlines()[-1] == str(run.folder("bundle") / "metals.apk")


def test_a_model_that_is_not_in_the_apk_is_in_the_instructions(
    tmp_path: Path, no_phone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bundled(tmp_path, pushed=True)
    deploy.run(CONFIG, run)
    model = run.folder("bundle") / "model.litertlm"
    assert f"adb push {model} /sdcard/Android/data/{APP}/files/model.litertlm" in capsys.readouterr().out


def test_only_the_base_is_pushed_if_only_it_is_not_in_the_apk(tmp_path: Path, phone: Path) -> None:
    run = bundled(tmp_path, base=True)
    deploy.run(CONFIG, run)
    base = run.folder("bundle") / "base.litertlm"
    assert f"push {base} /sdcard/Android/data/{APP}/files/base.litertlm" in phone.read_text()
    assert (tmp_path / "stored").read_bytes() == b"its base"


def test_both_models_are_in_the_instructions(
    tmp_path: Path, no_phone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.run(CONFIG, bundled(tmp_path, pushed=True, base=True))
    printed = capsys.readouterr().out
    assert printed.count("adb push") == 2
    assert printed.count("mkdir -p") == 1


def test_with_a_phone_it_installs_and_starts(
    tmp_path: Path, phone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bundled(tmp_path)
    deploy.run(CONFIG, run)
    calls = phone.read_text().splitlines()
    assert calls[1:] == [
        f"-s R5CT install -r {run.folder('bundle') / 'metals.apk'}",
        f"-s R5CT shell am start -n {APP}/{APP}.MainActivity",
    ]
    assert "the chat is open on Pixel 9" in capsys.readouterr().out


def test_a_large_model_is_pushed_before_the_app_starts(tmp_path: Path, phone: Path) -> None:
    run = bundled(tmp_path, pushed=True)
    deploy.run(CONFIG, run)
    calls = phone.read_text()
    assert (tmp_path / "stored").read_bytes() == b"a large model"
    assert calls.index(" push ") < calls.index("am start")


def test_a_phone_that_refuses_leaves_no_result(
    tmp_path: Path, phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bundled(tmp_path)
    monkeypatch.setenv("FULL", "1")
    with pytest.raises(PocketGemmaError, match="Pixel 9: the phone has too little free storage"):
        deploy.run(CONFIG, run)
    assert not run.folder("deploy").exists()
    monkeypatch.delenv("FULL")
    deploy.run(CONFIG, run)
    assert run.folder("deploy").exists()


def test_a_phone_that_is_connected_later_gets_the_app(
    tmp_path: Path, phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bundled(tmp_path)
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        deploy.run(CONFIG, run)
    deploy.run(CONFIG, run)
    assert "install" in phone.read_text()
