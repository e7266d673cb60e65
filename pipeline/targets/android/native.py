"""The native half of the app: LiteRT-LM's library from its wheels, and our shim, compiled without Android's own tools."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.cache import cached, digest_of
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.project import LOCK, MAIN, app_settings
from pipeline.targets.android.tools import find_tool, java_home, run_tool

RUNTIME_PACKAGE = "litert-lm-api"
RUNTIME_LIBRARY = "liblitert-lm.so"
SHIM_LIBRARY = "libpocketgemma.so"

# Android 15 has phones with memory pages of 16 KB; a library aligned to less does not load there.
PAGE_BYTES = 16384


@dataclass(frozen=True)
class Target:
    """A machine to compile for."""

    triple: str
    # How uv and pip name it, for the wheel.
    uv_platform: str
    pip_platform: str


TARGETS = {
    "arm64-v8a": Target("aarch64-linux-android{sdk}", "aarch64-linux-android", "android_23_arm64_v8a"),
    "x86_64": Target("x86_64-linux-android{sdk}", "x86_64-linux-android", "android_23_x86_64"),
}

# The shim is compiled without any C library's headers (there are none for Android here) and linked against this stand-in, which
# only has the name and the symbols; the phone's own libc takes its place when the app starts.
_STAND_IN = """
void *malloc(unsigned long n) { (void)n; return 0; }
void free(void *p) { (void)p; }
unsigned long strlen(const char *s) { (void)s; return 0; }
void *memcpy(void *to, const void *from, unsigned long n) { (void)from; (void)n; return to; }
void *memset(void *to, int c, unsigned long n) { (void)c; (void)n; return to; }
"""


def locked_requirement(package: str) -> str:
    """A package's entry in requirements.lock, version and hashes, as pip reads it.

    Raises:
        PocketGemmaError: the lock file does not have it.
    """
    try:
        text = LOCK.read_text(encoding="utf-8")
    except OSError:
        raise PocketGemmaError(f"{LOCK}: missing; it pins the version of {package}") from None
    match = re.search(rf"^{re.escape(package)}==\S+ \\\n(?:    --hash=\S+(?: \\)?\n)+", text, re.MULTILINE)
    if match is None:
        raise PocketGemmaError(f"{LOCK}: does not pin {package} with hashes")
    return match[0]


def runtime_library(abi: str) -> Path:
    """LiteRT-LM's library for an Android ABI, out of the wheel that requirements.lock pins.

    Raises:
        PocketGemmaError: it cannot be downloaded, or its hash differs.
    """
    requirement = locked_requirement(RUNTIME_PACKAGE)

    def make(folder: Path) -> None:
        listed = folder / "requirement.txt"
        listed.write_text(requirement, encoding="utf-8")
        _download_wheel(listed, folder / "wheel", TARGETS[abi])
        library = next((folder / "wheel").rglob(RUNTIME_LIBRARY), None)
        if library is None:
            raise PocketGemmaError(f"{RUNTIME_PACKAGE} for {abi} holds no {RUNTIME_LIBRARY}")
        library.rename(folder / RUNTIME_LIBRARY)
        shutil.rmtree(folder / "wheel")

    return cached("runtime", digest_of([Path(__file__)], abi, requirement), make) / RUNTIME_LIBRARY


def _download_wheel(listed: Path, folder: Path, target: Target) -> None:
    """Unpack the wheel of a phone's platform into a folder, its hash checked: by uv, or by this environment's pip."""
    doing = f"fetching LiteRT-LM for {target.uv_platform}"
    common: list[str | Path] = [
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "-r",
        listed,
    ]
    uv = find_uv()
    if uv:
        place: list[str | Path] = [
            "--python-platform",
            target.uv_platform,
            "--python",
            sys.executable,
            "--target",
            folder,
        ]
        run_tool([uv, "pip", "install", *common, *place], doing)
        return
    run_tool(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            *common,
            "--platform",
            target.pip_platform,
            "--dest",
            folder,
        ],
        doing,
    )
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        wheel.unlink()


def find_uv() -> Path | None:
    """uv on the path, in this environment, or where `make setup` puts it when the machine has none."""
    places = [shutil.which("uv"), Path(sys.executable).parent / "uv", LOCK.parent / ".venv-uv" / "bin" / "uv"]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


def host_runtime_library() -> Path:
    """The same library for this machine, in the installed package.

    Raises:
        PocketGemmaError: the package is not installed.
    """
    found = importlib.util.find_spec("litert_lm")  # found, not imported
    places = list(found.submodule_search_locations or []) if found else []
    library = next((path for place in places if (path := Path(place) / RUNTIME_LIBRARY).exists()), None)
    if library is None:
        raise PocketGemmaError(f"{RUNTIME_PACKAGE} is not installed in {sys.prefix}; run: make setup")
    return library


def shim_library(abi: str) -> Path:
    """Our shim for an Android ABI, linked against `runtime_library(abi)`."""
    triple = TARGETS[abi].triple.format(sdk=app_settings().min_sdk)
    return _flagsshim(triple, runtime_library(abi), "libc.so", run_path=None)


def host_shim_library() -> Path:
    """Our shim for the JVM on this machine; it finds the installed runtime by its path."""
    runtime = host_runtime_library()
    return _flagsshim(f"{platform.machine()}-linux-gnu", runtime, "libc.so.6", run_path=runtime.parent)


@cache
def _clang_version(clang: Path) -> str:
    return subprocess.run(
        [clang, "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]


def _flagsshim(triple: str, runtime: Path, c_library: str, run_path: Path | None) -> Path:
    clang, linker, java = find_tool("clang"), find_tool("ld.lld"), java_home() / "include"
    common: list[str | Path] = [
        clang,
        f"--target={triple}",
        f"--ld-path={linker}",
        "-O2",
        "-fPIC",
        "-ffreestanding",
        "-fno-builtin",
        "-shared",
        "-nostdlib",
    ]

    def make(folder: Path) -> None:
        headers, stand_in = folder / "include", folder / "stand-in"
        headers.mkdir()
        stand_in.mkdir()
        (headers / "stdio.h").touch()  # jni.h includes it and uses nothing of it
        (stand_in / "c.c").write_text(_STAND_IN, encoding="utf-8")
        run_tool(
            [*common, f"-Wl,-soname,{c_library}", "-o", stand_in / "libc.so", stand_in / "c.c"],
            f"compiling for {triple}",
        )
        link: list[str | Path] = [
            f"-Wl,-soname,{SHIM_LIBRARY}",
            f"-Wl,-z,max-page-size={PAGE_BYTES}",
            "-Wl,-z,defs",
            "-Wl,--hash-style=both",
        ]
        link += ["-Wl,--build-id=sha1", "-Wl,-s"] + ([f"-Wl,-rpath,{run_path}"] if run_path else [])
        flags: list[str | Path] = ["-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"]
        for place in (headers, java, java / "linux"):
            flags += ["-isystem", place]
        libraries: list[str | Path] = ["-L", runtime.parent, f"-l:{runtime.name}", "-L", stand_in, "-lc"]
        source = MAIN / "cpp" / "pocketgemma_jni.c"
        run_tool(
            [*common, *flags, *link, "-o", folder / SHIM_LIBRARY, source, *libraries],
            f"compiling the shim for {triple}",
        )
        shutil.rmtree(stand_in)
        shutil.rmtree(headers)

    stamp = runtime.stat()
    key = digest_of(
        [MAIN / "cpp", Path(__file__)],
        triple,
        _clang_version(clang),
        str(runtime),
        f"{stamp.st_size} {stamp.st_mtime_ns}",
    )
    return cached("shim", key, make) / SHIM_LIBRARY
