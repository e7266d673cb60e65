from pathlib import Path

import pytest

from pipeline.commands import doctor
from pipeline.targets.target import Finding


class Target:
    """A target with the findings of a test."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = findings

    def doctor(self) -> tuple[Finding, ...]:
        return self._findings


@pytest.fixture(autouse=True)
def _good_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_system", lambda: Finding("good", "system", "Linux x86_64"))
    monkeypatch.setattr(doctor, "_python", lambda: Finding("good", "Python", "3.11"))


def examine(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> bool:
    monkeypatch.setattr(doctor, "target_names", lambda: ["phone"])
    monkeypatch.setattr(doctor, "load_target", lambda name: Target(*findings))
    return doctor.examine()


def test_what_a_target_finds_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding("good", "aapt2", "/usr/bin/aapt2"), Finding("note", "adb", "not installed")
    assert examine(monkeypatch, *found)
    printed = " ".join(capsys.readouterr().out.split())
    assert "✓ aapt2" in printed and "– adb" in printed
    assert "apt-get" not in printed


def test_one_command_installs_all_missing_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (
        Finding("bad", "clang", "missing", "clang"),
        Finding("bad", "aapt2", "missing", "aapt"),
        Finding("bad", "aapt", "missing", "aapt"),
    )
    assert not examine(monkeypatch, *found)
    assert capsys.readouterr().out.splitlines()[-1].endswith("sudo apt-get install -y aapt clang")


def test_a_missing_python_package_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    assert not examine(monkeypatch)
    assert "missing packages: no-such-package; run: make setup" in capsys.readouterr().out


def test_tokens_are_reported_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    examine(monkeypatch)
    printed = capsys.readouterr().out
    assert "Hugging Face" in printed and "access token found" in printed
    assert "hf_secret" not in printed


@pytest.mark.parametrize("variable", doctor.CACHES)
def test_a_folder_for_downloads_that_cannot_be_written_is_named(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert examine(monkeypatch)
    assert "✓ downloads" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file/cache"))
    assert examine(monkeypatch)
    printed = "".join(capsys.readouterr().out.split())
    assert f"–downloads{tmp_path}/file/cachecannotbewritten;set{variable}toanotherfolder" in printed


def test_a_proxy_that_is_none_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "secret://me:word@host")
    assert examine(monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "– downloads HTTPS_PROXY is not the address of a proxy" in printed and "word" not in printed
