"""Packages import downwards only, stages do not import one another, and no package has a cycle:
.importlinter."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = [LINT_IMPORTS, folder / ".importlinter", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("families/gemma3.py", "import pipeline.gemma.presets", "Packages import downwards only"),
        ("run/folder.py", "import pipeline.recipe.schema", "Packages import downwards only"),
        ("quantization/schemes.py", "import pipeline.tuning.merge", "Packages import downwards only"),
        ("commands/doctor.py", "import pipeline.stages.convert", "Packages import downwards only"),
        ("stages/convert.py", "import pipeline.stages.merge", "Stages meet only in the run folder"),
        ("families/chat.py", "import pipeline.families.names", "No cycles inside a package"),
    ],
)
def test_a_broken_contract_is_found(tmp_path: Path, module: str, line: str, contract: str) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "base", "science", "facts")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=ignored)
    shutil.copyfile(ROOT / ".importlinter", tmp_path / ".importlinter")
    path = tmp_path / "pipeline" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


def test_a_new_room_needs_a_layer(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "base", "science", "facts")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=ignored)
    shutil.copyfile(ROOT / ".importlinter", tmp_path / ".importlinter")
    (tmp_path / "pipeline" / "attic").mkdir()
    (tmp_path / "pipeline" / "attic" / "__init__.py").touch()
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "attic" in done.stdout
