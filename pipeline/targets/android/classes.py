"""Compile the app's code: Kotlin by kotlinc; then R8 shrinks it together with its libraries and translates it
to Android's bytecode."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.cache import cached, digest_of
from pipeline.targets.android.jars import fetch_jars, one_jar
from pipeline.targets.android.project import MAIN, ROOT, app_settings
from pipeline.targets.android.resources import Resources
from pipeline.targets.android.tools import java_home, run_java

_STAMP = (2000, 1, 1, 0, 0, 0)


def compile_kotlin(
    sources: Path, class_path: list[Path], target: Path, doing: str, friends: Path | None = None
) -> None:
    """Compile a folder of Kotlin sources into a folder of classes.

    Args:
        sources: the folder of sources.
        class_path: what they are compiled against, besides Kotlin's standard library.
        target: the folder to write.
        doing: the step, for the error message.
        friends: classes whose `internal` members the sources may use.

    Raises:
        PocketGemmaError: the compiler fails; the message quotes it.
    """
    jars = fetch_jars("build")
    # Always the library of Java 17: newer ones have methods that hide Kotlin's methods of the same name, and
    # phones lack them.
    options = ["-no-stdlib", "-no-reflect", "-jvm-target", "17", "-Xjdk-release=17"] + (
        [f"-Xfriend-paths={friends}"] if friends else []
    )
    path = ":".join(str(entry) for entry in [one_jar(jars, "kotlin-stdlib"), *class_path])
    compiler = sorted(jars.glob("kotlin*.jar")) + sorted(jars.glob("annotations-*.jar"))
    run_java(
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
        compiler,
        [*options, "-cp", path, "-d", target, sources],
        doing,
    )


def library_jars() -> list[Path]:
    """The libraries that the app contains, besides Kotlin's standard library."""
    return sorted(fetch_jars("app").glob("*.jar"))


def library_resources() -> dict[str, bytes]:
    """The files that those libraries look for on the class path (a table of character names), by their names
    in the APK."""
    resources = {}
    for jar in library_jars():
        with zipfile.ZipFile(jar) as archive:
            for entry in archive.infolist():
                if (
                    not entry.is_dir()
                    and not entry.filename.endswith(".class")
                    and not entry.filename.startswith("META-INF/")
                ):
                    resources[entry.filename] = archive.read(entry)
    return resources


def build_classes(resources: Resources) -> Path:
    """The folder of the app's classes in JVM bytecode, which R8 reads and the tests on the JVM run."""

    def make(folder: Path) -> None:
        framework = one_jar(fetch_jars("build"), "android-all")
        compile_kotlin(
            MAIN / "kotlin",
            [framework, resources.id_classes, *library_jars()],
            folder / "classes",
            "compiling the app's Kotlin",
        )

    sources = [MAIN / "kotlin", resources.id_classes, Path(__file__)]
    return cached("classes", digest_of(sources, *_jars_used()), make) / "classes"


def build_dex(resources: Resources) -> Path:
    """The app's shrunk classes.dex. The mapping back to source names is next to it, in mapping.txt.

    Raises:
        PocketGemmaError: R8 fails; the message quotes it.
    """
    return _shrink("dex", resources, ["--min-api", str(app_settings().min_sdk)]) / "classes.dex"


def build_shrunk_classes(resources: Resources) -> Path:
    """A jar of the app's classes, shrunk by the same rules as for the phone but in JVM bytecode: tests run on
    it.

    Raises:
        PocketGemmaError: R8 fails; the message quotes it.
    """
    return _shrink("shrunk", resources, ["--classfile"], "classes.jar") / "classes.jar"


def _shrink(kind: str, resources: Resources, options: Sequence[str], output: str = ".") -> Path:
    """The folder with R8's output, under the name `output`, and with mapping.txt."""
    classes = build_classes(resources)
    rules = ROOT / "app" / "proguard-rules.pro"

    def make(folder: Path) -> None:
        jars = fetch_jars("build")
        packed = folder / "app.jar"
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(classes.rglob("*.class")):
                archive.writestr(
                    zipfile.ZipInfo(path.relative_to(classes).as_posix(), _STAMP), path.read_bytes()
                )
        # The framework jar lacks java.lang; the JDK has it.
        arguments: list[str | Path] = ["--release", *options]
        arguments += ["--lib", one_jar(jars, "android-all"), "--lib", java_home()]
        arguments += ["--pg-conf", rules, "--pg-conf", resources.keep_rules]
        # `library_resources` adds the files that the libraries read at run time.
        arguments += [
            "--no-data-resources",
            "--pg-map-output",
            folder / "mapping.txt",
            "--output",
            folder / output,
        ]
        arguments += [packed, one_jar(jars, "kotlin-stdlib"), *library_jars()]
        run_java("com.android.tools.r8.R8", [one_jar(jars, "r8")], arguments, "shrinking the app's code")
        packed.unlink()

    sources = [classes, rules, resources.keep_rules, ROOT / "gradle.properties", Path(__file__)]
    return cached(kind, digest_of(sources, *_jars_used()), make)


def _jars_used() -> tuple[str, str]:
    return fetch_jars("build").name, fetch_jars("app").name
