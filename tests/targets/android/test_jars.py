import hashlib
from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android.jars import check_jars, one_jar


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("one-1.0.jar", "two-2.0.jar"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def digests(jars: Path, tmp_path: Path) -> Path:
    path = tmp_path / "jars.sha256"
    path.write_text(
        "".join(
            f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in sorted(jars.iterdir())
        )
    )
    return path


def test_listed_jars_pass(jars: Path, digests: Path) -> None:
    check_jars(jars, digests)


def test_a_changed_jar_is_refused(jars: Path, digests: Path) -> None:
    (jars / "one-1.0.jar").write_text("something else")
    with pytest.raises(PocketGemmaError, match=r"one-1\.0\.jar has sha256 \w+, expected"):
        check_jars(jars, digests)


def test_missing_and_unknown_jars_are_refused_together(jars: Path, digests: Path) -> None:
    (jars / "two-2.0.jar").rename(jars / "two-2.1.jar")
    with pytest.raises(PocketGemmaError, match=r"two-2\.0\.jar is missing; two-2\.1\.jar is not in the list"):
        check_jars(jars, digests)


def test_an_artifact_is_not_mistaken_for_a_longer_name(jars: Path) -> None:
    (jars / "one-more-1.0.jar").touch()
    assert one_jar(jars, "one") == jars / "one-1.0.jar"
    with pytest.raises(PocketGemmaError, match="expected one three jar"):
        one_jar(jars, "three")
