"""The app's own tests, run on this machine's JVM: the same Kotlin classes, the same runtime, Android from Robolectric.

The shim is loaded into the JVM, so tests that go through Robolectric's class loader and tests that do not each get a
process of their own: a native library belongs to one class loader.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.apk.classes import build_classes, compile_kotlin, library_jars
from pipeline.apk.jars import fetch_jars, one_jar
from pipeline.apk.native import host_shim_library
from pipeline.apk.project import NAMESPACE, TESTS
from pipeline.apk.resources import Resources, build_resources
from pipeline.apk.tools import find_tool
from pipeline.cache import cached, digest_of

_TITLE = "PocketGemma"
_SECONDS = 400
_OPTIONS = ("-Xmx1500m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


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
        class_path = [
            app,
            resources.id_classes,
            *library_jars(),
            *_test_jars(),
            one_jar(fetch_jars("build"), "android-all"),
        ]
        target = folder / "classes"
        compile_kotlin(TESTS / "kotlin", class_path, target, "compiling the app's tests", friends=app)

    key = digest_of([TESTS, app, resources.id_classes], fetch_jars("test").name)
    return cached("app-tests", key, make) / "classes"


def run_tests(classes: Sequence[str], properties: Mapping[str, str], apk: Path | None = None) -> Outcome:
    """Run JUnit classes (names within io.pocketgemma.chat) in a JVM of their own.

    Args:
        properties: system properties `pocketgemma.test.<name>`, see TestModels.kt.
        apk: a bundled APK, from which the app then takes its resources and assets; without it there is no model in the app.
    """
    resources, jars = build_resources(_TITLE), fetch_jars("build")
    with tempfile.TemporaryDirectory() as temporary:
        settings = Path(temporary)
        _write_settings(settings, resources, apk)
        class_path = [
            settings,
            compile_tests(),
            build_classes(resources),
            resources.id_classes,
            *library_jars(),
        ]
        # The plain framework last: what Robolectric instruments must come from Robolectric.
        class_path += [one_jar(jars, "kotlin-stdlib"), *_test_jars(), one_jar(jars, "android-all")]
        definitions = {
            f"{NAMESPACE}.library": host_shim_library(),
            "robolectric.offline": "true",
            "robolectric.dependency.dir": fetch_jars("test"),
            **{f"pocketgemma.test.{key}": value for key, value in properties.items()},
        }
        done = subprocess.run(
            [
                find_tool("java"),
                *_OPTIONS,
                *(f"-D{key}={value}" for key, value in definitions.items()),
                *("-cp", os.pathsep.join(map(str, class_path))),
                "org.junit.runner.JUnitCore",
                *(f"{NAMESPACE}.{name}" for name in classes),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    count = re.search(r"^OK \((\d+) tests?\)$|^Tests run: (\d+),", done.stdout, re.MULTILINE)
    frames = re.compile(rf"^\s+(?:at (?!{re.escape(NAMESPACE)})|\.\.\. \d+ )")
    report = "\n".join(line for line in done.stdout.splitlines() if not frames.match(line))
    return Outcome(
        int(count[1] or count[2]) if count else 0, done.returncode == 0 and count is not None, report
    )


def _write_settings(folder: Path, resources: Resources, apk: Path | None) -> None:
    """Tell Robolectric where the app's resources lie, in the file that Android's own tools write for it."""
    path = folder / "com" / "android" / "tools" / "test_config.properties"
    path.parent.mkdir(parents=True)
    settings = {
        "android_merged_manifest": resources.apk.parent / "AndroidManifest.xml",
        "android_resource_apk": apk or resources.apk,
        "android_custom_package": NAMESPACE,
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")


def _test_jars() -> list[Path]:
    """Everything but the framework that Robolectric loads by itself."""
    jars = sorted(fetch_jars("test").glob("*.jar"))
    return [path for path in jars if not path.name.startswith("android-all-instrumented")]
