"""Jars from Maven: pinned by android/dependencies/*.xml, and each checked against the list of digests beside it."""

import zipfile
from functools import cache
from pathlib import Path

from pipeline.cache import cached, digest_of
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.project import DEPENDENCIES
from pipeline.targets.android.tools import find_tool, run_tool

# Pinned, because Maven would take the newest it knows.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@cache
def fetch_jars(purpose: str) -> Path:
    """The folder with every jar that android/dependencies/<purpose>.xml leads to, checked.

    Args:
        purpose: "app" (goes into the app), "build" or "test".

    Raises:
        PocketGemmaError: Maven fails, or what it brought is not what the list of digests says.
    """
    pom, digests = DEPENDENCIES / f"{purpose}.xml", DEPENDENCIES / f"{purpose}.sha256"

    def make(folder: Path) -> None:
        run_tool(
            [
                find_tool("mvn"),
                "--batch-mode",
                "--quiet",
                "--no-transfer-progress",
                "--file",
                pom,
                _COPY,
                f"-DoutputDirectory={folder}",
            ],
            f"fetching the jars of {pom.name}",
        )
        check_jars(folder, digests)
        for archive in folder.glob("*.aar"):
            _unpack_classes(archive)

    return cached("jars", digest_of([pom, digests, Path(__file__)]), make)


def check_jars(folder: Path, digests: Path) -> None:
    """Compare the files of a folder with a list as sha256sum writes it.

    Raises:
        PocketGemmaError: a file is missing, unknown or different; names all of them.
    """
    expected = {
        name: digest
        for digest, name in (line.split() for line in digests.read_text(encoding="utf-8").splitlines())
    }
    found = {path.name: sha256_of_file(path) for path in folder.iterdir()}
    faults = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    faults += [f"{name} is not in the list" for name in sorted(found.keys() - expected.keys())]
    faults += [
        f"{name} has sha256 {found[name]}, expected {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    if faults:
        raise PocketGemmaError(f"jars from Maven do not match {digests.name}: " + "; ".join(faults))


def _unpack_classes(archive: Path) -> None:
    """An Android library is a zip with a classes.jar in it; the JVM wants the jar."""
    with zipfile.ZipFile(archive) as library:
        archive.with_suffix(".jar").write_bytes(library.read("classes.jar"))
    archive.unlink()


def one_jar(folder: Path, artifact: str) -> Path:
    """The jar of an artifact (its name without the version).

    Raises:
        PocketGemmaError: there is none or more than one.
    """
    found = [path for path in folder.glob(f"{artifact}-*.jar") if path.name[len(artifact) + 1].isdigit()]
    if len(found) != 1:
        raise PocketGemmaError(f"expected one {artifact} jar in {folder}, found {len(found)}")
    return found[0]
