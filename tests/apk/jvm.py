"""The app's own tests, run on this machine's JVM: the same Kotlin classes, the same runtime, Android's framework from Robolectric.

The shim is loaded into the JVM, so tests that go through Robolectric's class loader and tests that do not each get a process of
their own: a native library belongs to one class loader.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.apk.cache import cached, digest_of
from pipeline.apk.classes import build_classes, compile_kotlin
from pipeline.apk.jars import fetch_jars, one_jar
from pipeline.apk.native import host_shim_library
from pipeline.apk.project import NAMESPACE, TESTS
from pipeline.apk.resources import build_resources
from pipeline.apk.tools import find_tool

SCREENSHOTS = TESTS.parents[2] / "screenshots"
_TITLE = "PocketGemma"
_SECONDS = 240


@dataclass(frozen=True)
class Outcome:
    """How a JUnit run ended."""

    tests: int
    passed: bool
    # What JUnit printed, without the frames of other people's code.
    report: str


def compile_tests() -> Path:
    """The folder with the test classes."""
    resources = build_resources(_TITLE)
    app = build_classes(resources)

    def make(folder: Path) -> None:
        jars = [*_test_jars(), one_jar(fetch_jars("build"), "android-all")]
        compile_kotlin(
            TESTS / "kotlin",
            [app, resources.id_classes, *jars],
            folder / "classes",
            "compiling the app's tests",
            friends=app,
        )
        # Where Robolectric finds the app's resources.
        config = folder / "classes" / "com" / "android" / "tools" / "test_config.properties"
        config.parent.mkdir(parents=True)
        (folder / "assets").mkdir()
        settings = {
            "android_merged_manifest": resources.apk.parent / "AndroidManifest.xml",
            "android_resource_apk": resources.apk,
            "android_merged_assets": cached_path(folder) / "assets",
            "android_custom_package": NAMESPACE,
        }
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")

    return (
        cached(
            "app-tests", digest_of([TESTS, app, resources.apk, Path(__file__)], fetch_jars("test").name), make
        )
        / "classes"
    )


def cached_path(working: Path) -> Path:
    """Where an entry of the cache will lie when the folder it is made in has been renamed."""
    return working.parent / working.name.split(".")[1]


def _test_jars() -> list[Path]:
    """Everything but the framework that Robolectric loads by itself."""
    return [
        path
        for path in sorted(fetch_jars("test").glob("*.jar"))
        if not path.name.startswith("android-all-instrumented")
    ]


def run_tests(classes: list[str], properties: Mapping[str, str]) -> Outcome:
    """Run JUnit classes (names within io.pocketgemma.chat) in a JVM of their own.

    Args:
        properties: system properties `pocketgemma.test.<name>`, see TestModels.kt.
    """
    tests = compile_tests()
    resources = build_resources(_TITLE)
    build = fetch_jars("build")
    path = [
        tests,
        build_classes(resources),
        resources.id_classes,
        one_jar(build, "kotlin-stdlib"),
        *_test_jars(),
    ]
    # After Robolectric's own: classes that the framework has and the instrumented copy is asked for before it is loaded.
    path.append(one_jar(build, "android-all"))
    options = [
        "-Xmx1500m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        f"-D{NAMESPACE}.library={host_shim_library()}",
        "-Drobolectric.offline=true",
        f"-Drobolectric.dependency.dir={fetch_jars('test')}",
        *(f"-Dpocketgemma.test.{key}={value}" for key, value in properties.items()),
    ]
    command = [
        str(find_tool("java")),
        *options,
        "-cp",
        os.pathsep.join(map(str, path)),
        "org.junit.runner.JUnitCore",
    ]
    done = subprocess.run(
        [*command, *(f"{NAMESPACE}.{name}" for name in classes)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    count = re.search(r"^OK \((\d+) tests?\)$", done.stdout, re.MULTILINE) or re.search(
        r"^Tests run: (\d+),", done.stdout, re.MULTILINE
    )
    frames = re.compile(rf"^\s+(?:at (?!{re.escape(NAMESPACE)})|\.\.\. \d+ )")
    report = "\n".join(line for line in done.stdout.splitlines() if not frames.match(line))
    return Outcome(int(count[1]) if count else 0, done.returncode == 0 and count is not None, report)
