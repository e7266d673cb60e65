"""The system's programs that the app is built with: where they are, what to install when one is missing, and how they are run."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline.errors import PocketGemmaError

# Program: the Debian and Ubuntu package that brings it.
PACKAGES = {
    "java": "default-jdk-headless",
    "mvn": "maven",
    "clang": "clang",
    "ld.lld": "lld",
    "aapt2": "aapt",
    "apksigner": "apksigner",
}
OLDEST_JAVA = 17
# Where the default is older than that, and what to install instead.
_OLD_RELEASES = ("bullseye", "focal", "jammy")
_OLD_RELEASES_JAVA = "openjdk-17-jdk-headless"
_QUOTED_LINES = 12


@cache
def find_tool(name: str) -> Path:
    """Where a program of `PACKAGES` (or another) lies; clang and ld.lld also under their versioned names, the newest first.

    Raises:
        PocketGemmaError: it is not installed; names the package.
    """
    if name in ("java", "javac", "keytool"):
        return java_home() / "bin" / name
    found = shutil.which(name) or _versioned(name)
    if found is None:
        raise PocketGemmaError(f"{name} is not installed; run: sudo apt-get install -y {package_of(name)}")
    return Path(found)


def package_of(name: str) -> str:
    """The package of this machine's distribution that brings a program."""
    if name == "java" and any(f"VERSION_CODENAME={old}" in _os_release() for old in _OLD_RELEASES):
        return _OLD_RELEASES_JAVA
    return PACKAGES.get(name, name)


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""


def _versioned(name: str) -> str | None:
    """Debian and Ubuntu call a compiler clang-14, clang-18, …; the plain name comes with another package."""
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    found = []
    for folder in os.get_exec_path():
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found += [
            (int(match[1]), os.path.join(folder, entry))
            for entry in names
            if (match := pattern.fullmatch(entry))
        ]
    return max(found)[1] if found else None


@cache
def java_home() -> Path:
    """The Java development kit: JAVA_HOME when it is new enough, else the one that `javac` on the path belongs to.

    Raises:
        PocketGemmaError: there is none, it is older than 17, or it has no compiler.
    """
    candidates = [Path(place) for place in [os.environ.get("JAVA_HOME")] if place]
    javac = shutil.which("javac")
    if javac:
        candidates.append(Path(javac).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*"))
    for home in candidates:
        if (
            (home / "bin" / "javac").exists()
            and (home / "include" / "jni.h").exists()
            and java_version(home) >= OLDEST_JAVA
        ):
            return home
    raise PocketGemmaError(
        f"no Java development kit of version {OLDEST_JAVA} or newer; run: sudo apt-get install -y {package_of('java')} (or set JAVA_HOME)"
    )


def java_version(home: Path) -> int:
    """The feature version (17, 21, …) from a kit's `release` file; 0 when it has none."""
    try:
        match = re.search(
            r'^JAVA_VERSION="(\d+)', (home / "release").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        return 0
    return int(match[1]) if match else 0


def missing_tools() -> dict[str, str]:
    """Programs of `PACKAGES` that are not here, with the package to install for each."""
    missing = {}
    for name in PACKAGES:
        try:
            find_tool(name)
        except PocketGemmaError:
            missing[name] = package_of(name)
    return missing


def run_tool(
    arguments: Sequence[str | Path], doing: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end and return what it printed on its standard output.

    Args:
        arguments: the program and its arguments.
        doing: what this is for, in words, for the message.
        environment: variables added to this process's own; the place for secrets, which must not stand in arguments.

    Raises:
        PocketGemmaError: it failed; quotes the end of what it printed.
    """
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise PocketGemmaError(f"{doing}: cannot run {command[0]}: {error}") from None
    if done.returncode != 0:
        printed = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise PocketGemmaError(
            f"{doing}: {Path(command[0]).name} failed:\n  "
            + "\n  ".join(printed[-_QUOTED_LINES:] or ["(it said nothing)"])
        )
    return done.stdout


def run_java(main_class: str, class_path: Sequence[Path], arguments: Sequence[str | Path], doing: str) -> str:
    """Run a Java program with the settings that make short runs quick: no second compiler, one collecting thread."""
    options = ["-Xmx1500m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    path = os.pathsep.join(str(entry) for entry in class_path)
    return run_tool([find_tool("java"), *options, "-cp", path, main_class, *arguments], doing)
