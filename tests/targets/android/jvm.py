"""Run the app's tests on this machine's JVM: the same Kotlin classes and the same runtime, with Android from
Robolectric.

The sources list the tests, and the number of tests that ran is compared with them, so that none is forgotten.
The JVM loads the shim, and a native library belongs to one class loader; so tests with Robolectric's class
loader and tests without it run in separate processes.
"""

import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import cached, digest_of
from pipeline.targets.android.classes import (
    build_classes,
    build_shrunk_classes,
    compile_kotlin,
    library_jars,
    library_resources,
)
from pipeline.targets.android.jars import fetch_jars, one_jar
from pipeline.targets.android.native import host_shim_library
from pipeline.targets.android.project import NAMESPACE, TESTS
from pipeline.targets.android.resources import Resources, build_resources
from pipeline.targets.android.tools import JAVA_OPTIONS, find_tool, java_home, java_version

PLAIN = "plain"
"""Tests that do not need Android."""

ROBOLECTRIC = "robolectric"
"""Tests of the app's classes on Robolectric."""

JOURNEYS = "journey"
"""Tests that use the app only through its screens, so they also run on the shrunk app. The name is also their
package."""

_TITLE = "PocketGemma"
_SECONDS = 1500
# The last version of Java in which a program can watch its own file accesses.
_LAST_WATCHED_JAVA = 23


@dataclass(frozen=True)
class Suite:
    """Test classes that run in one process."""

    # Names relative to io.pocketgemma.chat.
    classes: tuple[str, ...]
    tests: int


@dataclass(frozen=True)
class Outcome:
    """How a JUnit run ended."""

    tests: int
    passed: bool
    # JUnit's output, without stack frames of other packages.
    report: str


def find_suites(sources: Path = TESTS / "kotlin") -> dict[str, Suite]:
    """The test classes under a folder of Kotlin sources, by the kind of process that they need.

    Raises:
        ValueError: a file with tests has no class of its name, so JUnit would get a wrong name.
    """
    found: dict[str, list[tuple[str, int]]] = {PLAIN: [], ROBOLECTRIC: [], JOURNEYS: []}
    root = sources.joinpath(*NAMESPACE.split("."))
    for path in sorted(root.rglob("*.kt")):
        source = path.read_text(encoding="utf-8")
        tests = len(re.findall(r"^\s*@Test\b", source, re.MULTILINE))
        if not tests:
            continue
        if not re.search(rf"^(?:internal )?class {path.stem}\b", source, re.MULTILINE):
            raise ValueError(f"{path}: has tests, but no class {path.stem}")
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        if name.startswith(f"{JOURNEYS}."):
            kind = JOURNEYS
        else:
            kind = ROBOLECTRIC if "@RunWith(RobolectricTestRunner::class)" in source else PLAIN
        found[kind].append((name, tests))
    return {
        kind: Suite(tuple(name for name, _ in classes), sum(tests for _, tests in classes))
        for kind, classes in found.items()
    }


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


def run_tests(
    classes: tuple[str, ...] | list[str],
    properties: Mapping[str, str],
    apk: Path | None = None,
    *,
    shrunk: bool = False,
) -> Outcome:
    """Run JUnit classes (names relative to io.pocketgemma.chat) in a separate JVM.

    Args:
        properties: system properties `pocketgemma.test.<name>`, see TestModels.kt.
        apk: an APK with a model, which provides the app's resources and assets; without it, the app has no
            model.
        shrunk: test the shrunk app, with tests that reference none of its classes. The APK then also provides
            the files that its libraries look for on the class path.
    """
    resources, jars = build_resources(_TITLE), fetch_jars("build")
    app = build_shrunk_classes(resources) if shrunk else build_classes(resources)
    with tempfile.TemporaryDirectory() as temporary:
        settings = Path(temporary)
        _write_settings(settings, resources, apk)
        class_path = [settings, app, resources.id_classes, compile_tests(), TESTS / "resources"]
        if shrunk:
            _unpack(apk, settings)
        else:
            class_path += library_jars()
        # The plain framework last, because Robolectric must provide the classes that it instruments.
        class_path += [one_jar(jars, "kotlin-stdlib"), *_test_jars(), one_jar(jars, "android-all")]
        definitions = {
            f"{NAMESPACE}.library": host_shim_library(),
            "robolectric.offline": "true",
            "robolectric.dependency.dir": fetch_jars("test"),
            "pocketgemma.test.app": app,
            **{f"pocketgemma.test.{key}": value for key, value in properties.items()},
        }
        if java_version(java_home()) <= _LAST_WATCHED_JAVA:
            definitions["java.security.manager"] = "allow"
        done = subprocess.run(
            [
                find_tool("java"),
                *JAVA_OPTIONS,
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


def _unpack(apk: Path | None, folder: Path) -> None:
    """Extract the files that the app's libraries look for on the class path from the APK, as on a phone."""
    if apk is None:
        raise ValueError("shrunk needs an APK")
    with zipfile.ZipFile(apk) as archive:
        for name in library_resources():
            archive.extract(name, folder)


def _write_settings(folder: Path, resources: Resources, apk: Path | None) -> None:
    """Write the paths of the app's resources into the file that Robolectric reads and Android's tools usually
    write."""
    path = folder / "com" / "android" / "tools" / "test_config.properties"
    path.parent.mkdir(parents=True)
    settings = {
        "android_merged_manifest": resources.apk.parent / "AndroidManifest.xml",
        "android_resource_apk": apk or resources.apk,
        "android_custom_package": NAMESPACE,
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    # The same for all tests, because Robolectric loads Android again for each combination.
    (folder / "robolectric.properties").write_text("sdk=35\ngraphicsMode=NATIVE\n", encoding="utf-8")


def _test_jars() -> list[Path]:
    """All jars but the framework, which Robolectric loads itself."""
    jars = sorted(fetch_jars("test").glob("*.jar"))
    return [path for path in jars if not path.name.startswith("android-all-instrumented")]
