import shutil
from pathlib import Path

import pytest

from pipeline.run import sources
from pipeline.run.sources import PACKAGE, code_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that a test may change."""
    copy = tmp_path / "pipeline"
    shutil.copytree(PACKAGE / "run", copy / "run")
    (copy / "stages").mkdir()
    (copy / "stages/merge.py").write_text("step = 1\n")
    monkeypatch.setattr(sources, "PACKAGE", copy)
    code_digest.cache_clear()
    return copy


def digest() -> str:
    code_digest.cache_clear()
    return code_digest("stages/merge.py", "run")


def test_a_change_in_a_room_or_a_module_changes_the_digest(package: Path) -> None:
    before = digest()
    assert digest() == before
    (package / "stages/merge.py").write_text("step = 2\n")
    changed = digest()
    (package / "run/files.py").write_text("")
    assert len({before, changed, digest()}) == 3


def test_compiled_files_and_other_rooms_do_not_count(package: Path) -> None:
    before = digest()
    (package / "run/__pycache__").mkdir(exist_ok=True)
    (package / "run/__pycache__/files.cpython-311.pyc").write_bytes(b"compiled")
    (package / "stages/convert.py").write_text("other = 1\n")
    assert digest() == before


def test_a_misspelled_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in the package: lite-rt"):
        code_digest("run", "lite-rt")
