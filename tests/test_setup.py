"""Setting up: the lock file, and what the script for system packages does where it may install and where it
may not."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.targets.android.tools import PACKAGES

ROOT = Path(__file__).parents[1]
NEEDED = ("bash", "grep", "python3")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: no Java, no compiler, no aapt2."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        place = shutil.which(name)
        assert place
        (folder / name).symlink_to(place)
    return folder


def fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!{shutil.which('bash')}\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def set_up(programs: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(shutil.which("bash")), str(ROOT / "setup" / "system.sh")]
    return subprocess.run(
        command, env=os.environ | {"PATH": str(programs)}, capture_output=True, text=True, check=False
    )


def test_the_lock_holds_hashes_and_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.findall(r"^([a-zA-Z0-9._-]+)==", text, re.MULTILINE)
    assert len(packages) > 100
    entries = re.split(r"^(?=[a-zA-Z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_script_and_doctor_name_the_same_packages() -> None:
    script = (ROOT / "setup" / "system.sh").read_text(encoding="utf-8")
    assert [
        package
        for package in PACKAGES.values()
        if not re.search(rf"\b{package}( ;;)?$", script, re.MULTILINE)
    ] == []


def test_who_may_not_install_is_told_the_exact_command(programs: Path) -> None:
    fake(programs, "id", "echo 1000")
    fake(programs, "apt-get", "exit 99")
    result = set_up(programs)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if "apt-get install" in line]
    assert line.startswith("  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ")
    assert set(PACKAGES.values()) <= set(line.rstrip("'").split())


def test_root_installs_what_is_missing(programs: Path, tmp_path: Path) -> None:
    fake(programs, "id", "echo 0")
    fake(programs, "apt-get", f'echo "$@" >> {tmp_path}/calls')
    result = set_up(programs)
    assert result.returncode == 0, result.stderr
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install -y")
    assert set(PACKAGES.values()) <= set(install.split())


def test_a_failing_install_stops_the_road(programs: Path) -> None:
    fake(programs, "id", "echo 0")
    fake(programs, "apt-get", "exit 100")
    assert set_up(programs).returncode != 0


def test_another_system_is_told_the_names(programs: Path) -> None:
    fake(programs, "id", "echo 0")
    result = set_up(programs)
    assert result.returncode == 2
    assert "your package manager" in result.stderr


def test_a_compiler_under_its_versioned_name_is_found(programs: Path) -> None:
    fake(programs, "id", "echo 1000")
    fake(programs, "apt-get", "exit 99")
    for number in range(200):  # many names, so that the search for one does not end with the list
        fake(programs, f"clang-tool-{number}", "")
    fake(programs, "clang-14", "")
    fake(programs, "ld.lld-18", "")
    (line,) = [line for line in set_up(programs).stderr.splitlines() if "apt-get install" in line]
    assert "clang" not in line.split()
    assert "lld" not in line.split()
    assert "aapt" in line.split()
