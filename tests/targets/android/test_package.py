import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.formats.aligned_zip import entry_offset
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.build import AppBuild
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.project import AppSettings


@pytest.fixture
def app(tmp_path: Path) -> AppBuild:
    """Parts that no phone accepts, but that make a zip."""
    resources = tmp_path / "resources.apk"
    with zipfile.ZipFile(resources, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("res/layout/main.xml", b"layout" * 100)
        archive.writestr("resources.arsc", b"table" * 1000)
        archive.writestr("AndroidManifest.xml", b"manifest" * 10)
    dex = tmp_path / "classes.dex"
    dex.write_bytes(b"dex\n035\0" * 500)
    libraries = {}
    for abi in ("arm64-v8a", "x86_64"):
        (tmp_path / abi).mkdir()
        paths = [tmp_path / abi / name for name in ("liblitert-lm.so", "libpocketgemma.so")]
        for index, path in enumerate(paths):
            path.write_bytes(b"\x7fELF" + bytes(4001 + 777 * index))
        libraries[abi] = tuple(paths)
    return AppBuild(
        AppSettings("io.pocketgemma.chat", 24, 35, 1, "0.1.0"),
        resources,
        dex,
        {"org/library/names.txt": b"amp=&"},
        libraries,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.litertlm"
    path.write_bytes(b"LITERTLM" + bytes(range(256)) * 40)
    return path


def test_what_a_phone_maps_is_stored_at_page_boundaries(app: AppBuild, model: Path, tmp_path: Path) -> None:
    apk = tmp_path / "app.apk"
    package_apk(app, Assets({}, model=model, base=model, adapters={"ab" * 32: model}), apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
    libraries = [name for name in entries if name.endswith(".so")]
    assert len(libraries) == 4
    for name in [*libraries, MODEL_ENTRY, BASE_ENTRY, adapter_entry("ab" * 32)]:
        assert entries[name].compress_type == zipfile.ZIP_STORED
        assert entry_offset(apk, entries[name]) % 16384 == 0
    assert entries["resources.arsc"].compress_type == zipfile.ZIP_STORED
    assert entry_offset(apk, entries["resources.arsc"]) % 4 == 0
    assert entries["classes.dex"].compress_type == zipfile.ZIP_DEFLATED


def test_every_entry_has_the_content_of_its_source(app: AppBuild, model: Path, tmp_path: Path) -> None:
    apk = tmp_path / "app.apk"
    manifest = {"name": "Science", "description": "für Fe"}
    package_apk(app, Assets(manifest, ["What is Fe?", "Et l’or ?"], model), apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.read(MODEL_ENTRY) == model.read_bytes()
        assert archive.read("classes.dex") == app.dex.read_bytes()
        assert archive.read("org/library/names.txt") == b"amp=&"
        assert archive.read("lib/x86_64/libpocketgemma.so") == app.libraries["x86_64"][1].read_bytes()
        assert json.loads(archive.read(MANIFEST_ENTRY)) == manifest
        assert json.loads(archive.read(QUESTIONS_ENTRY)) == ["What is Fe?", "Et l’or ?"]
        assert archive.namelist()[0] == "AndroidManifest.xml"


def test_an_app_without_a_model_has_no_entry_for_it(app: AppBuild, tmp_path: Path) -> None:
    package_apk(app, Assets({}), tmp_path / "app.apk")
    with zipfile.ZipFile(tmp_path / "app.apk") as archive:
        assert MODEL_ENTRY not in archive.namelist()


def test_compressed_libraries_are_smaller_and_unpack_to_their_source(
    app: AppBuild, model: Path, tmp_path: Path
) -> None:
    sizes = []
    for compressed in (False, True):
        package_apk(
            replace(app, compressed_libraries=compressed), Assets({}, model=model), tmp_path / "app.apk"
        )
        sizes.append((tmp_path / "app.apk").stat().st_size)
        with zipfile.ZipFile(tmp_path / "app.apk") as archive:
            library = archive.getinfo("lib/x86_64/libpocketgemma.so")
            assert (library.compress_type == zipfile.ZIP_DEFLATED) == compressed
            assert archive.read(library) == app.libraries["x86_64"][1].read_bytes()
            # The app copies a model without decompressing it.
            assert archive.getinfo(MODEL_ENTRY).compress_type == zipfile.ZIP_STORED
    assert sizes[1] < sizes[0]


def test_equal_parts_give_equal_bytes(app: AppBuild, model: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("one.apk", "two.apk"):
        package_apk(app, Assets({"name": "x"}, ["q"], model), tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
