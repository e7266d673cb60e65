"""The native libraries of the app: LiteRT-LM from its wheels, and our shim, compiled without the Android
NDK."""

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

# Phones with Android 15 can have memory pages of 16 KB. They only load libraries that are aligned to that.
PAGE_BYTES = 16384


@dataclass(frozen=True)
class Platform:
    """A platform to compile for.

    Attributes:
        triple: for clang; {sdk} stands for the oldest API level.
        uv_platform: uv's name of the platform of the wheel.
        pip_platform: pip's name of it.
    """

    triple: str
    uv_platform: str
    pip_platform: str


PLATFORMS = {
    "arm64-v8a": Platform("aarch64-linux-android{sdk}", "aarch64-linux-android", "android_23_arm64_v8a"),
    "x86_64": Platform("x86_64-linux-android{sdk}", "x86_64-linux-android", "android_23_x86_64"),
}

# The shim is compiled without the headers of a C library, because there are none for Android here. It is
# linked against this stand-in, which has the right name and symbols. When the app starts, the phone's own
# libc takes its place.
_STAND_IN = """
void *malloc(unsigned long n) { (void)n; return 0; }
void free(void *p) { (void)p; }
unsigned long strlen(const char *s) { (void)s; return 0; }
void *memcpy(void *to, const void *from, unsigned long n) { (void)from; (void)n; return to; }
void *memset(void *to, int c, unsigned long n) { (void)c; (void)n; return to; }
"""


def locked_requirement(package: str) -> str:
    """The entry of a package in requirements.lock, with version and hashes, in pip's format.

    Raises:
        PocketGemmaError: the lock file is missing or has no such entry.
    """
    try:
        text = LOCK.read_text(encoding="utf-8")
    except OSError:
        raise PocketGemmaError(f"{LOCK}: missing; expected it to pin the version of {package}") from None
    match = re.search(rf"^{re.escape(package)}==\S+ \\\n(?:    --hash=\S+(?: \\)?\n)+", text, re.MULTILINE)
    if match is None:
        raise PocketGemmaError(f"{LOCK}: does not pin {package} with hashes")
    return match[0]


def runtime_library(abi: str) -> Path:
    """LiteRT-LM's library for an Android ABI, from the wheel that requirements.lock pins.

    Raises:
        PocketGemmaError: the wheel cannot be downloaded, or its hash differs.
    """
    requirement = locked_requirement(RUNTIME_PACKAGE)

    def make(folder: Path) -> None:
        listed = folder / "requirement.txt"
        listed.write_text(requirement, encoding="utf-8")
        _download_wheel(listed, folder / "wheel", PLATFORMS[abi])
        library = next((folder / "wheel").rglob(RUNTIME_LIBRARY), None)
        if library is None:
            raise PocketGemmaError(
                f"the wheel of {RUNTIME_PACKAGE} for {abi} does not contain {RUNTIME_LIBRARY}"
            )
        library.rename(folder / RUNTIME_LIBRARY)
        shutil.rmtree(folder / "wheel")

    return cached("runtime", digest_of([Path(__file__)], abi, requirement), make) / RUNTIME_LIBRARY


def _download_wheel(listed: Path, folder: Path, platform_: Platform) -> None:
    """Unpack the wheel for a phone's platform into a folder and verify its hash: with uv, or with pip from
    this environment."""
    doing = f"fetching LiteRT-LM for {platform_.uv_platform}"
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
        where: list[str | Path] = ["--python-platform", platform_.uv_platform, "--python", sys.executable]
        run_tool([uv, "pip", "install", *common, *where, "--target", folder], doing)
        return
    if importlib.util.find_spec("pip") is None:
        raise PocketGemmaError(f"{doing}: needs uv or pip; install uv, or run: {sys.executable} -m ensurepip")
    pip = [sys.executable, "-m", "pip", "download"]
    run_tool([*pip, *common, "--platform", platform_.pip_platform, "--dest", folder], doing)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        wheel.unlink()


def find_uv() -> Path | None:
    """The uv on the path, in this environment, or in the folder where `make setup` installs it."""
    candidates = [
        shutil.which("uv"),
        Path(sys.executable).parent / "uv",
        LOCK.parent / ".venv-uv" / "bin" / "uv",
    ]
    return next((Path(uv) for uv in candidates if uv and Path(uv).is_file()), None)


def host_runtime_library() -> Path:
    """LiteRT-LM's library for this machine, from the installed package.

    Raises:
        PocketGemmaError: the package is not installed.
    """
    spec = importlib.util.find_spec("litert_lm")  # does not import it
    folders = list(spec.submodule_search_locations or []) if spec else []
    library = next((path for folder in folders if (path := Path(folder) / RUNTIME_LIBRARY).exists()), None)
    if library is None:
        raise PocketGemmaError(f"{RUNTIME_PACKAGE} is not installed in {sys.prefix}; run: make setup")
    return library


def shim_library(abi: str) -> Path:
    """Our shim for an Android ABI, linked against `runtime_library(abi)`."""
    triple = PLATFORMS[abi].triple.format(sdk=app_settings().min_sdk)
    return _compile_shim(triple, runtime_library(abi), "libc.so", run_path=None)


def host_shim_library() -> Path:
    """Our shim for the JVM on this machine; it loads the installed runtime by its path."""
    runtime = host_runtime_library()
    return _compile_shim(f"{platform.machine()}-linux-gnu", runtime, "libc.so.6", run_path=runtime.parent)


@cache
def _clang_version(clang: Path) -> str:
    return subprocess.run(
        [clang, "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]


def _compile_shim(triple: str, runtime: Path, c_library: str, run_path: Path | None) -> Path:
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
        (headers / "stdio.h").touch()  # jni.h includes it without using it
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
        for include in (headers, java, java / "linux"):
            flags += ["-isystem", include]
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
