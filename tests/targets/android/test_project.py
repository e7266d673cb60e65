"""The app's sources and the pipeline agree where they name the same things in two languages."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from pipeline.recipe.sections.bundle import BundleSection
from pipeline.targets.android.assets import (
    ADAPTERS_FOLDER,
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    PUSHED_BASE,
    PUSHED_MODEL,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.native import RUNTIME_LIBRARY, SHIM_LIBRARY
from pipeline.targets.android.project import DEPENDENCIES, MAIN, NAMESPACE, ROOT, TESTS, app_settings
from pipeline.targets.android.tools import PACKAGES

KOTLIN = MAIN / "kotlin" / Path(*NAMESPACE.split("."))
ANDROID = "{http://schemas.android.com/apk/res/android}"


def source(name: str) -> str:
    return (KOTLIN / name).read_text(encoding="utf-8")


def test_one_file_of_the_app_knows_the_names_of_its_assets() -> None:
    """That these are the names under which the pipeline packs them is checked in Kotlin: AppContractTest."""
    names = {
        MODEL_ENTRY,
        BASE_ENTRY,
        ADAPTERS_FOLDER,
        MANIFEST_ENTRY,
        QUESTIONS_ENTRY,
        PUSHED_MODEL,
        PUSHED_BASE,
    }
    whole = "|".join(re.escape(name.removeprefix("assets/")) for name in sorted(names))
    written = re.compile(rf'"(?:{whole})["$]|"(?:model|base)\$|"\.(?:litertlm|tflite)\b')
    knowing = {path.name for path in KOTLIN.rglob("*.kt") if written.search(path.read_text(encoding="utf-8"))}
    assert knowing == {"AppAssets.kt"}


def test_the_shim_defines_exactly_the_native_methods() -> None:
    declared = set(re.findall(r"external fun (\w+)\(", source("runtime/Native.kt")))
    defined = set(
        re.findall(r"NATIVE\((native\w+)\)", (MAIN / "cpp" / "pocketgemma_jni.c").read_text(encoding="utf-8"))
    )
    assert declared == defined
    assert f'System.loadLibrary("{SHIM_LIBRARY.removeprefix("lib").removesuffix(".so")}")' in source(
        "runtime/Native.kt"
    )


def test_only_one_class_and_the_shim_use_the_runtime() -> None:
    using = {
        path.name
        for path in (MAIN / "kotlin").rglob("*.kt")
        if re.search(r"external fun|loadLibrary", path.read_text())
    }
    assert using == {"Native.kt"}
    assert RUNTIME_LIBRARY in (MAIN / "cpp" / "CMakeLists.txt").read_text(encoding="utf-8")


def test_the_manifest_requests_no_permission_and_leaves_backups_to_the_user() -> None:
    manifest = ET.parse(MAIN / "AndroidManifest.xml").getroot()
    assert manifest.findall("uses-permission") == []
    application = manifest.find("application")
    assert application is not None
    # The agent decides (OptInBackupAgentTest). Without fullBackupOnly, Android asks it for key/value pairs
    # instead of files.
    assert application.get(f"{ANDROID}allowBackup") == "true"
    assert application.get(f"{ANDROID}backupAgent") == f"{NAMESPACE}.settings.OptInBackupAgent"
    assert application.get(f"{ANDROID}fullBackupOnly") == "true"
    assert application.get(f"{ANDROID}fullBackupContent") == "@xml/backup_rules"
    assert application.get(f"{ANDROID}dataExtractionRules") == "@xml/data_extraction_rules"
    activities = application.findall("activity")
    assert [activity.get(f"{ANDROID}name") for activity in activities] == [".MainActivity"]


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_is_readable_in_both_themes() -> None:
    pairs = [("text", "background"), ("text", "surface"), ("text_dim", "background"), ("text_dim", "surface")]
    pairs += [
        ("on_primary", "primary"),
        ("primary", "background"),
        ("warning", "warning_surface"),
        ("text", "warning_surface"),
    ]
    for theme in ("values", "values-night"):
        colors = {
            element.get("name"): element.text or ""
            for element in ET.parse(MAIN / "res" / theme / "colors.xml").getroot()
        }
        for front, back in pairs:
            light, dark = sorted((luminance(colors[front]), luminance(colors[back])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{theme}: {front} on {back}"


def test_no_source_file_of_the_app_is_too_long() -> None:
    for folder, most in ((MAIN, 300), (TESTS, 400)):
        sources = [path for path in folder.rglob("*") if path.suffix in (".kt", ".c")]
        assert len(sources) > 15
        assert [
            path.name for path in sources if len(path.read_text(encoding="utf-8").splitlines()) > most
        ] == []


def test_the_gradle_project_uses_the_same_settings() -> None:
    gradle = (ROOT / "app" / "build.gradle.kts").read_text(encoding="utf-8")
    for key in ("applicationId", "minSdk", "targetSdk", "versionCode", "versionName"):
        assert f'setting("{key}")' in gradle
    assert f'namespace = "{NAMESPACE}"' in gradle
    assert app_settings().min_sdk >= 24


def pinned(purpose: str) -> dict[str, str]:
    """Versions by artifact in android/dependencies/<purpose>.xml."""
    maven = "{http://maven.apache.org/POM/4.0.0}"
    found = ET.parse(DEPENDENCIES / f"{purpose}.xml").iter(f"{maven}dependency")
    return {each.findtext(f"{maven}artifactId", ""): each.findtext(f"{maven}version", "") for each in found}


def test_the_gradle_project_uses_the_same_versions_of_kotlin_and_test_libraries() -> None:
    plugins = (ROOT / "build.gradle.kts").read_text(encoding="utf-8")
    assert (
        f'id("org.jetbrains.kotlin.android") version "{pinned("build")["kotlin-compiler-embeddable"]}"'
        in plugins
    )
    gradle, tests = (ROOT / "app" / "build.gradle.kts").read_text(encoding="utf-8"), pinned("test")
    for artifact in ("junit:junit", "org.json:json", "org.robolectric:robolectric"):
        assert f'testImplementation("{artifact}:{tests[artifact.split(":")[1]]}")' in gradle


def test_the_gradle_project_packages_models_and_libraries_like_the_build_by_default() -> None:
    gradle = (ROOT / "app" / "build.gradle.kts").read_text(encoding="utf-8")
    assert not BundleSection().compress_libraries and "useLegacyPackaging = false" in gradle
    endings = {Path(entry).suffix[1:] for entry in (MODEL_ENTRY, BASE_ENTRY, adapter_entry("ab"))}
    assert f"noCompress += listOf({', '.join(json.dumps(each) for each in sorted(endings))})" in gradle
    # The build sets it, not the manifest in the sources.
    assert "extractNativeLibs" not in (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")


def test_the_readme_names_every_package_that_is_needed() -> None:
    line = next(
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if "apt-get install" in line
    )
    assert set(line.split("-y ")[1].split()) == set(PACKAGES.values())
