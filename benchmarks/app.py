"""Size of the app and of its parts, time of a build from source, and start-up time on the JVM.

    python benchmarks/app.py [--run runs/science] [--figures FILE]

Packages and signs the models of a finished bundle for each ABI, with uncompressed and with compressed
libraries, and checks each APK as the bundle stage does. Builds the app once in a cache that holds only the
downloads (jars, LiteRT-LM's libraries) and the debug key. FILE holds the figures that the app's JVM tests
measured (their property `pocketgemma.test.figures`):

    POCKETGEMMA_FIGURES=FILE pytest tests/targets/android/test_jvm.py

Without it the earlier figures are kept. Writes docs/measurements/app.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.targets.android.package import Assets
    from pipeline.targets.target import PackagedFile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
OUTPUT = ROOT / "docs" / "measurements" / "app.json"
ABIS = (("arm64-v8a",), ("x86_64",), ("arm64-v8a", "x86_64"))
TITLE = "PocketGemma"

DOWNLOADED = ("jars", "runtime", "key")
"""Cache kinds that a build does not create: downloads and the debug key."""

GROUPS = {
    "libraries": ("lib/",),
    "code": ("classes",),
    "resources": ("res/", "resources.arsc", "AndroidManifest.xml"),
    "models": ("assets/model.", "assets/base.", "assets/adapters/"),
}
"""The parts of an APK by the prefix of the entry name; everything else is "other"."""


def assets_of(apk: Path, folder: Path) -> "tuple[Assets, list[PackagedFile]]":
    """The models, adapters, manifest and questions of a bundled APK as files, and the contents that a check
    expects."""
    from pipeline.targets.android.assets import BASE_ENTRY, MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
    from pipeline.targets.android.contents import read_packaged_files
    from pipeline.targets.android.package import Assets

    with zipfile.ZipFile(apk) as archive:
        files = read_packaged_files(archive)
        packaged = {
            each.entry: Path(archive.extract(each.entry, folder)) for each in files if each.actual_sha256
        }
        assets = Assets(
            manifest=json.loads(archive.read(MANIFEST_ENTRY)),
            questions=json.loads(archive.read(QUESTIONS_ENTRY)),
            model=packaged.get(MODEL_ENTRY),
            base=packaged.get(BASE_ENTRY),
            adapters={
                each.actual_sha256: packaged[each.entry]
                for each in files
                if each.role == "adapter" and each.actual_sha256
            },
        )
    return assets, files


def variant(
    abis: tuple[str, ...], compressed: bool, assets: "Assets", files: "list[PackagedFile]", folder: Path
) -> dict[str, Any]:
    """Sizes in bytes of an APK for the given ABIs."""
    from pipeline.targets.android.build import build_app
    from pipeline.targets.android.check import ExpectedApk, check_apk
    from pipeline.targets.android.package import package_apk
    from pipeline.targets.android.sign import sign

    app = build_app(abis, TITLE, compress_libraries=compressed)
    unsigned, signed = folder / "unsigned.apk", folder / "signed.apk"
    package_apk(app, assets, unsigned)
    sign(unsigned, signed)
    report = check_apk(signed, ExpectedApk(app.settings, abis, files, compressed))
    print(
        f"{', '.join(abis)}, {'compressed' if compressed else 'uncompressed'} libraries: {report.bytes:,} "
        "bytes"
    )
    return {
        "abis": list(abis),
        "compressed_libraries": compressed,
        "bytes": report.bytes,
        "installed_bytes": report.installed_bytes,
        "in_the_apk": parts(signed),
        "dex_bytes": report.dex_bytes,
        "permissions": list(report.permissions),
    }


def parts(apk: Path) -> dict[str, int]:
    """Bytes that each group of entries takes in an APK, after compression; alignment and signature count as
    "other"."""
    sizes = dict.fromkeys(GROUPS, 0)
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            for group, beginnings in GROUPS.items():
                if entry.filename.startswith(beginnings):
                    sizes[group] += entry.compress_size
    return sizes | {"other": apk.stat().st_size - sum(sizes.values())}


def build() -> dict[str, float]:
    """Seconds of each step of a build for arm64-v8a, from source to a signed APK without a model; prints them
    as JSON."""
    from pipeline.targets.android.build import build_app
    from pipeline.targets.android.classes import build_classes, build_dex
    from pipeline.targets.android.jars import fetch_jars
    from pipeline.targets.android.native import runtime_library, shim_library
    from pipeline.targets.android.package import Assets, package_apk
    from pipeline.targets.android.resources import build_resources
    from pipeline.targets.android.sign import sign

    fetch_jars("build")
    runtime_library("arm64-v8a")
    seconds = {}
    folder = Path(tempfile.mkdtemp(prefix="pocketgemma-app-"))

    def package() -> None:
        package_apk(build_app(["arm64-v8a"], TITLE), Assets({"name": TITLE}), folder / "unsigned.apk")
        sign(folder / "unsigned.apk", folder / "signed.apk")

    steps = {
        "resources": lambda: build_resources(TITLE),
        "Kotlin": lambda: build_classes(build_resources(TITLE)),
        "shrinking": lambda: build_dex(build_resources(TITLE)),
        "shim": lambda: shim_library("arm64-v8a"),
        "packaging and signing": package,
        "build again, nothing changed": package,
    }
    for name, step in steps.items():
        started = time.monotonic()
        step()
        seconds[name] = round(time.monotonic() - started, 1)
    return seconds


def build_afresh() -> dict[str, float]:
    """`build` in a separate process, with a cache that holds only the downloads and the debug key."""
    from pipeline.cache import cache_root
    from pipeline.targets.android.jars import fetch_jars
    from pipeline.targets.android.native import runtime_library

    for purpose in ("app", "build"):
        fetch_jars(purpose)
    runtime_library("arm64-v8a")
    with tempfile.TemporaryDirectory(prefix="pocketgemma-cache-") as cache:
        for kind in DOWNLOADED:
            if (cache_root() / kind).is_dir():
                (Path(cache) / kind).symlink_to(cache_root() / kind)
        environment = os.environ | {"POCKETGEMMA_CACHE": cache}
        command = [sys.executable, __file__, "--build"]
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        whole = round(time.monotonic() - started, 1)
    steps: dict[str, float] = json.loads(done.stdout)
    again = steps.pop("build again, nothing changed")
    return steps | {
        "from source to a signed APK": round(whole - again, 1),
        "build again, nothing changed": again,
    }


def read_figures(path: Path) -> dict[str, Any]:
    """The figures that the app's JVM tests measured.

    Args:
        path: a JSON file with activity_start_ms, a list of numbers; main_thread_violations, a list of
            strings; main_thread_files_watched, whether file accesses were monitored, too.

    Returns:
        The same values, and the median of activity_start_ms.

    Raises:
        SystemExit: the file does not exist, or lacks a list.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        starts = [round(float(each), 1) for each in found["activity_start_ms"]]
        return {
            "activity_start_ms": starts,
            "activity_start_ms_median": round(statistics.median(starts), 1),
            "main_thread_violations": [str(each) for each in found["main_thread_violations"]],
            "main_thread_files_watched": bool(found.get("main_thread_files_watched", False)),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{path}: not a figures file of the app's tests: {type(error).__name__}: {error}")


def main() -> None:
    from pipeline.machine import describe_machine
    from pipeline.run.files import RunFiles

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=Path("runs/science"), help="a run with a finished bundle")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="figures from the app's JVM tests")
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(json.dumps(build()))
        return
    apk = next(iter(RunFiles(options.run).bundle.apks), None)
    if apk is None:
        sys.exit(f"{options.run}: no bundle yet; run pocketgemma bundle --run {options.run}")
    before = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {}
    figures = read_figures(options.figures) if options.figures else before.get("activity")
    seconds = build_afresh()
    with tempfile.TemporaryDirectory(prefix="pocketgemma-app-") as temporary:
        folder = Path(temporary)
        assets, files = assets_of(apk, folder)
        variants = [
            variant(abis, compressed, assets, files, folder) for abis in ABIS for compressed in (False, True)
        ]
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "command": "python benchmarks/app.py" + " --figures FILE" * bool(figures),
        "machine": describe_machine() | {"cores": len(os.sched_getaffinity(0))},
        "run": options.run.name,
        "models": [each.role for each in files if each.actual_sha256],
        "variants": variants,
        "build_seconds": seconds,
        "activity": figures,
    }
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
