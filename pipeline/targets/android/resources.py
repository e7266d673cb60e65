"""Compile and link the app's resources and its Android manifest with aapt2."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pipeline.cache import cached, digest_of
from pipeline.targets.android.jars import fetch_jars, one_jar
from pipeline.targets.android.project import MAIN, NAMESPACE, ROOT, app_settings
from pipeline.targets.android.tools import find_tool, run_tool

_ANDROID = "http://schemas.android.com/apk/res/android"


@dataclass(frozen=True)
class Resources:
    """Compiled resources.

    Attributes:
        apk: an APK that contains only the resources and the Android manifest.
        id_classes: the folder of the classes with resource ids, which the code is compiled against.
        keep_rules: the rules for names that R8 must keep.
    """

    apk: Path
    id_classes: Path
    keep_rules: Path


def build_resources(title: str, *, compress_libraries: bool = False) -> Resources:
    """Compile and link the resources of the app.

    Args:
        title: the app's name on the phone.
        compress_libraries: whether the Android manifest tells the phone to unpack the native libraries.

    Raises:
        PocketGemmaError: aapt2 or javac fails; the message quotes it.
    """

    def make(folder: Path) -> None:
        settings = app_settings()
        framework = _framework_resources()
        compiled, overlay = folder / "compiled.zip", folder / "overlay"
        aapt2 = find_tool("aapt2")
        run_tool([aapt2, "compile", "--dir", MAIN / "res", "-o", compiled], "compiling the app's resources")
        (overlay / "values").mkdir(parents=True)
        (overlay / "values" / "title.xml").write_text(
            f'<resources><string name="app_name">{_resource_text(title)}</string></resources>',
            encoding="utf-8",
        )
        run_tool(
            [aapt2, "compile", "--dir", overlay, "-o", folder / "overlay.zip"], "compiling the app's title"
        )
        manifest = folder / "AndroidManifest.xml"
        _write_manifest(manifest, settings.application_id, extract_libraries=compress_libraries)
        link: list[str | Path] = [
            aapt2,
            "link",
            "-I",
            framework,
            "--manifest",
            manifest,
            "--warn-manifest-validation",
            "--custom-package",
            NAMESPACE,
        ]
        link += ["--min-sdk-version", str(settings.min_sdk), "--target-sdk-version", str(settings.target_sdk)]
        link += ["--version-code", str(settings.version_code), "--version-name", settings.version_name]
        link += ["--java", folder / "java", "--proguard", folder / "keep.pro", "-o", folder / "resources.apk"]
        run_tool([*link, "-R", folder / "overlay.zip", compiled], "linking the app's resources")
        # Its comments contain the path of this folder. Without them, another title does not cause R8 to run
        # again.
        rules = (folder / "keep.pro").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / "keep.pro").write_text(
            "".join(line for line in rules if not line.startswith("#")), encoding="utf-8"
        )
        ids = next((folder / "java").rglob("R.java"))
        run_tool(
            [find_tool("javac"), "-nowarn", "--release", "17", "-d", folder / "ids", ids],
            "compiling the resource ids",
        )
        for temporary in (overlay, folder / "java"):
            shutil.rmtree(temporary)

    folder = cached(
        "resources",
        digest_of(
            [MAIN / "res", MAIN / "AndroidManifest.xml", ROOT / "gradle.properties", Path(__file__)],
            title,
            "libraries unpacked" if compress_libraries else "libraries mapped",
        ),
        make,
    )
    return Resources(folder / "resources.apk", folder / "ids", folder / "keep.pro")


def _framework_resources() -> Path:
    """An APK of Android's own manifest and resource table, without the 180 MB of classes in the framework
    jar."""
    jar = one_jar(fetch_jars("build"), "android-all")

    def make(folder: Path) -> None:
        with zipfile.ZipFile(jar) as framework, zipfile.ZipFile(folder / "framework.apk", "w") as apk:
            for name in ("AndroidManifest.xml", "resources.arsc"):
                apk.writestr(name, framework.read(name))

    return cached("framework", digest_of([Path(__file__)], jar.name), make) / "framework.apk"


def _write_manifest(target: Path, application_id: str, *, extract_libraries: bool) -> None:
    """Add the package name, which Gradle forbids in the source, and the treatment of native libraries, which
    the build decides."""
    ElementTree.register_namespace("android", _ANDROID)
    tree = ElementTree.parse(MAIN / "AndroidManifest.xml")
    tree.getroot().set("package", application_id)
    for application in tree.iter("application"):
        application.set(f"{{{_ANDROID}}}extractNativeLibs", str(extract_libraries).lower())
    for element in tree.iter():
        # A leading dot stands for the package of the code, which can differ from the id under which the app
        # is installed.
        for attribute in (f"{{{_ANDROID}}}name", f"{{{_ANDROID}}}backupAgent"):
            name = element.get(attribute, "")
            if name.startswith("."):
                element.set(attribute, NAMESPACE + name)
    tree.write(target, encoding="utf-8", xml_declaration=True)


def _resource_text(text: str) -> str:
    """Escape a title for a string resource, where quotes, backslashes and a leading @ or ? have a meaning."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    if escaped[:1] in "@?":
        escaped = "\\" + escaped
    return escape(escaped)
