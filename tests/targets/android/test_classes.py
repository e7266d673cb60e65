"""The libraries in the app: the files that they read are packaged, and so is their license."""

import zipfile

import pytest

from pipeline.targets.android.classes import library_jars, library_resources
from pipeline.targets.android.project import MAIN, ROOT

pytestmark = pytest.mark.slow


def test_the_table_of_character_names_that_the_markdown_parser_reads_is_packaged() -> None:
    resources = library_resources()
    assert set(resources) == {"org/commonmark/internal/util/entities.txt"}
    assert b"amp=&" in resources["org/commonmark/internal/util/entities.txt"]


def test_the_license_in_the_app_is_the_one_in_the_libraries() -> None:
    shown = (MAIN / "res" / "raw" / "commonmark_license.txt").read_bytes()
    jars = library_jars()
    assert len(jars) == 3
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            assert archive.read("META-INF/LICENSE.txt") == shown


def test_the_gradle_project_takes_the_same_libraries() -> None:
    gradle = (ROOT / "app" / "build.gradle.kts").read_text(encoding="utf-8")
    for jar in library_jars():
        artifact, _, version = jar.stem.rpartition("-")
        assert f'implementation("org.commonmark:{artifact}:{version}")' in gradle
