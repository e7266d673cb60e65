import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android import tools
from pipeline.targets.android.tools import find_tool, findings, java_home, missing_tools, run_tool
from pipeline.targets.target import Finding


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that is the only one on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    find_tool.cache_clear()
    java_home.cache_clear()
    yield folder
    find_tool.cache_clear()
    java_home.cache_clear()


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_newest_versioned_compiler_is_found(programs: Path) -> None:
    for name in ("clang-9", "clang-14", "clang-cpp-15", "clang-format-16"):
        program(programs, name)
    assert find_tool("clang") == programs / "clang-14"


def test_the_plain_name_comes_before_versioned_ones(programs: Path) -> None:
    for name in ("clang-14", "clang"):
        program(programs, name)
    assert find_tool("clang") == programs / "clang"


def test_a_missing_tool_is_reported_with_its_package(programs: Path) -> None:
    with pytest.raises(PocketGemmaError, match="aapt2 is not installed; run: sudo apt-get install -y aapt$"):
        find_tool("aapt2")


def test_every_missing_tool_is_listed(programs: Path) -> None:
    program(programs, "mvn")
    missing = missing_tools()
    assert "mvn" not in missing
    assert {"clang", "ld.lld", "aapt2", "apksigner"} <= missing.keys()


def test_doctor_reports_every_tool_and_adb_as_optional(programs: Path) -> None:
    mvn = program(programs, "mvn")
    reported = {finding.name: finding for finding in findings()}
    assert reported["mvn"] == Finding("good", "mvn", str(mvn))
    assert (reported["aapt2"].level, reported["aapt2"].package) == ("bad", "aapt")
    assert (reported["adb"].level, reported["adb"].package) == ("note", None)
    adb = program(programs, "adb")
    assert findings()[-1] == Finding("good", "adb", str(adb))


@pytest.mark.parametrize(
    ("release", "package"), [("jammy", "openjdk-17-jdk-headless"), ("trixie", "default-jdk-headless")]
)
def test_the_package_of_java_depends_on_the_release(
    programs: Path, monkeypatch: pytest.MonkeyPatch, release: str, package: str
) -> None:
    monkeypatch.setattr(tools, "_os_release", lambda: f"NAME=x\nVERSION_CODENAME={release}\n")
    assert tools.package_of("java") == package


def make_kit(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "include").mkdir()
    (home / "include" / "jni.h").touch()
    (home / "bin" / "javac").touch()
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


def test_a_java_that_is_too_old_is_skipped(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_kit(tmp_path / "old", "11.0.2")))
    new = make_kit(tmp_path / "new", "21.0.1")
    program(new / "bin", "javac")
    (programs / "javac").symlink_to(new / "bin" / "javac")
    assert java_home() == new


def test_java_home_is_used_if_it_is_new_enough(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_kit(tmp_path / "kit", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java_home() == home


def test_a_failing_program_is_quoted() -> None:
    with pytest.raises(PocketGemmaError, match=r"making tea: python\S* failed:\n  no water"):
        run_tool(
            [sys.executable, "-c", "import sys; print('no water', file=sys.stderr); sys.exit(3)"],
            "making tea",
        )


def test_a_program_that_cannot_be_run_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(PocketGemmaError, match="making tea: cannot run"):
        run_tool([tmp_path / "kettle"], "making tea")
