"""The system's programs that build the app: find them, name the package of a missing one, and run them."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline.errors import PocketGemmaError
from pipeline.targets.target import Finding

# The Debian and Ubuntu package of each program.
PACKAGES = {
    "java": "default-jdk-headless",
    "mvn": "maven",
    "clang": "clang",
    "ld.lld": "lld",
    "aapt2": "aapt",
    "apksigner": "apksigner",
}
OLDEST_JAVA = 17

JAVA_OPTIONS = ("-Xmx1500m", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m", "-XX:+UseSerialGC")
"""For short runs: one compiler, one garbage collector thread. Java reserves only 48 MB for the code of one
compiler, which Kotlin's fills; it then fails, or continues without compiling. 240 MB is what it reserves for
both."""

# Releases whose default is older, and what to install there instead.
_OLD_RELEASES = ("bullseye", "focal", "jammy")
_OLD_RELEASES_JAVA = "openjdk-17-jdk-headless"
_QUOTED_LINES = 12


@cache
def find_tool(name: str) -> Path:
    """The path of a program. A versioned name, such as clang-18, counts too; of several, the newest version.

    Raises:
        PocketGemmaError: it is not installed; the message names the package.
    """
    if name in ("java", "javac", "keytool"):
        return java_home() / "bin" / name
    found = shutil.which(name) or _versioned(name)
    if found is None:
        raise PocketGemmaError(f"{name} is not installed; run: sudo apt-get install -y {package_of(name)}")
    return Path(found)


def package_of(name: str) -> str:
    """The package that contains a program, in the distribution of this machine."""
    if name == "java" and any(f"VERSION_CODENAME={old}" in _os_release() for old in _OLD_RELEASES):
        return _OLD_RELEASES_JAVA
    return PACKAGES.get(name, name)


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""


def _versioned(name: str) -> str | None:
    """The newest program with a versioned name, as Debian and Ubuntu install compilers: clang-14,
    clang-18."""
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
    """The Java development kit: JAVA_HOME if it is new enough, else the one that contains the `javac` on the
    path.

    Raises:
        PocketGemmaError: there is none of version 17 or newer that has a compiler.
    """
    candidates = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
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
        f"no Java development kit of version {OLDEST_JAVA} or newer; run: sudo apt-get install -y "
        f"{package_of('java')}, or set JAVA_HOME"
    )


def java_version(home: Path) -> int:
    """The feature version (17, 21, …) in the `release` file of a JDK; 0 if there is none."""
    try:
        match = re.search(
            r'^JAVA_VERSION="(\d+)', (home / "release").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        return 0
    return int(match[1]) if match else 0


def missing_tools() -> dict[str, str]:
    """The programs of `PACKAGES` that are not installed, with the package of each."""
    missing = {}
    for name in PACKAGES:
        try:
            find_tool(name)
        except PocketGemmaError:
            missing[name] = package_of(name)
    return missing


def findings() -> list[Finding]:
    """Which programs are installed; adb is optional."""
    missing = missing_tools()
    found = [
        Finding("bad", name, f"missing; Debian and Ubuntu package: {missing[name]}", missing[name])
        if name in missing
        else Finding("good", name, str(find_tool(name)))
        for name in PACKAGES
    ]
    adb = shutil.which("adb")
    optional = "not installed; only needed to install the app over USB (Debian and Ubuntu package: adb)"
    return [*found, Finding("good", "adb", adb) if adb else Finding("note", "adb", optional)]


def run_tool(
    arguments: Sequence[str | Path], doing: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program and return its standard output.

    Args:
        arguments: the program and its arguments.
        doing: the step, for the error message.
        environment: variables to add to those of this process. Pass secrets here, never as arguments.

    Raises:
        PocketGemmaError: it fails; the message quotes the end of its output.
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
            + "\n  ".join(printed[-_QUOTED_LINES:] or ["(no output)"])
        )
    return done.stdout


def run_java(main_class: str, class_path: Sequence[Path], arguments: Sequence[str | Path], doing: str) -> str:
    """Run a Java program."""
    path = os.pathsep.join(str(entry) for entry in class_path)
    return run_tool([find_tool("java"), *JAVA_OPTIONS, "-cp", path, main_class, *arguments], doing)
