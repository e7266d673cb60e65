"""The app's Kotlin: compiled by kotlinc, shrunk and turned into Android's bytecode by R8."""

import zipfile
from pathlib import Path

from pipeline.apk.jars import fetch_jars, one_jar
from pipeline.apk.project import MAIN, ROOT, app_settings
from pipeline.apk.resources import Resources
from pipeline.apk.tools import java_home, run_java
from pipeline.cache import cached, digest_of

_STAMP = (2000, 1, 1, 0, 0, 0)


def compile_kotlin(
    sources: Path, class_path: list[Path], target: Path, doing: str, friends: Path | None = None
) -> None:
    """Compile a folder of Kotlin sources into a folder of classes.

    Args:
        friends: classes whose `internal` members the sources may use.

    Raises:
        PocketGemmaError: the compiler refuses; quotes it.
    """
    jars = fetch_jars("build")
    options = ["-no-stdlib", "-no-reflect", "-jvm-target", "17"] + (
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


def build_classes(resources: Resources) -> Path:
    """The app's classes as the JVM's bytecode: what R8 reads and what the tests on the JVM run. A folder."""

    def make(folder: Path) -> None:
        framework = one_jar(fetch_jars("build"), "android-all")
        compile_kotlin(
            MAIN / "kotlin",
            [framework, resources.id_classes],
            folder / "classes",
            "compiling the app's Kotlin",
        )

    return (
        cached(
            "classes",
            digest_of([MAIN / "kotlin", resources.id_classes, Path(__file__)], fetch_jars("build").name),
            make,
        )
        / "classes"
    )


def build_dex(resources: Resources) -> Path:
    """The app's classes.dex, shrunk. The map back to source names lies beside it as mapping.txt.

    Raises:
        PocketGemmaError: R8 refuses; quotes it.
    """
    classes = build_classes(resources)
    rules = ROOT / "app" / "proguard-rules.pro"

    def make(folder: Path) -> None:
        jars = fetch_jars("build")
        packed = folder / "classes.jar"
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(classes.rglob("*.class")):
                archive.writestr(
                    zipfile.ZipInfo(path.relative_to(classes).as_posix(), _STAMP), path.read_bytes()
                )
        # The framework jar has no java.lang, which the development kit adds.
        libraries: list[str | Path] = ["--lib", one_jar(jars, "android-all"), "--lib", java_home()]
        arguments: list[str | Path] = [
            "--release",
            "--min-api",
            str(app_settings().min_sdk),
            *libraries,
            "--pg-conf",
            rules,
            "--pg-conf",
            resources.keep_rules,
        ]
        arguments += [
            "--pg-map-output",
            folder / "mapping.txt",
            "--output",
            folder,
            packed,
            one_jar(jars, "kotlin-stdlib"),
        ]
        run_java("com.android.tools.r8.R8", [one_jar(jars, "r8")], arguments, "shrinking the app's code")
        packed.unlink()

    sources = [classes, rules, resources.keep_rules, ROOT / "gradle.properties", Path(__file__)]
    return cached("dex", digest_of(sources, fetch_jars("build").name), make) / "classes.dex"
