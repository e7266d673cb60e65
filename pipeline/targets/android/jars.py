"""Fetch jars from Maven: android/dependencies/*.xml pin the versions, and the lists of digests next to them
pin the content."""

import zipfile
from functools import cache
from pathlib import Path

from pipeline.cache import cached, digest_of
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.project import DEPENDENCIES
from pipeline.targets.android.tools import find_tool, run_tool

# Pinned, because Maven would use the newest version it knows.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@cache
def fetch_jars(purpose: str) -> Path:
    """The folder with every jar that android/dependencies/<purpose>.xml requires, directly or indirectly.

    Args:
        purpose: "app" (the app contains them), "build" or "test".

    Raises:
        PocketGemmaError: Maven fails, or a jar does not match the list of digests.
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
    """Compare the files of a folder with a list in the format of sha256sum.

    Raises:
        PocketGemmaError: a file is missing, unknown or different; the message lists all of them.
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
    """Replace an Android library, a zip that contains classes.jar, by that jar."""
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
