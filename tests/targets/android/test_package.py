import hashlib
import json
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.build import AppBuild
from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.project import AppSettings

MODEL = ModelFacts(10, "ab")


@pytest.fixture
def app(tmp_path: Path) -> AppBuild:
    """Parts that no phone would take, but that make a zip."""
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


def data_offset(apk: Path, entry: zipfile.ZipInfo) -> int:
    with apk.open("rb") as file:
        file.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + name + extra


def test_what_a_phone_maps_lies_stored_at_page_boundaries(app: AppBuild, model: Path, tmp_path: Path) -> None:
    apk = tmp_path / "app.apk"
    package_apk(app, Assets({}, model=model, base=model, adapters={"ab" * 32: model}), apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
    libraries = [name for name in entries if name.endswith(".so")]
    assert len(libraries) == 4
    for name in [*libraries, MODEL_ENTRY, BASE_ENTRY, adapter_entry("ab" * 32)]:
        assert entries[name].compress_type == zipfile.ZIP_STORED
        assert data_offset(apk, entries[name]) % 16384 == 0
    assert entries["resources.arsc"].compress_type == zipfile.ZIP_STORED
    assert data_offset(apk, entries["resources.arsc"]) % 4 == 0
    assert entries["classes.dex"].compress_type == zipfile.ZIP_DEFLATED


def test_everything_comes_out_as_it_went_in(app: AppBuild, model: Path, tmp_path: Path) -> None:
    apk = tmp_path / "app.apk"
    manifest = AppManifest("Science", MODEL, description="für Fe", parameters=7).document()
    package_apk(app, Assets(manifest, ["What is Fe?", "Et l’or ?"], model), apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.read(MODEL_ENTRY) == model.read_bytes()
        assert archive.read("classes.dex") == app.dex.read_bytes()
        assert archive.read("org/library/names.txt") == b"amp=&"
        assert archive.read("lib/x86_64/libpocketgemma.so") == app.libraries["x86_64"][1].read_bytes()
        assert json.loads(archive.read(MANIFEST_ENTRY)) == manifest
        assert json.loads(archive.read(QUESTIONS_ENTRY)) == ["What is Fe?", "Et l’or ?"]
        assert archive.namelist()[0] == "AndroidManifest.xml"


def test_a_model_beside_the_apk_is_not_in_it(app: AppBuild, tmp_path: Path) -> None:
    package_apk(app, Assets({}), tmp_path / "app.apk")
    with zipfile.ZipFile(tmp_path / "app.apk") as archive:
        assert MODEL_ENTRY not in archive.namelist()


def test_compressed_libraries_are_smaller_and_come_out_as_they_went_in(
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
            # A model is copied by the app as it lies there: never compressed.
            assert archive.getinfo(MODEL_ENTRY).compress_type == zipfile.ZIP_STORED
    assert sizes[1] < sizes[0]


def test_the_same_parts_give_the_same_bytes(app: AppBuild, model: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("one.apk", "two.apk"):
        package_apk(app, Assets({"name": "x"}, ["q"], model), tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_unknown_facts_are_left_out_of_the_manifest() -> None:
    document = AppManifest("Science", MODEL).document()
    assert document == {
        "format": 2,
        "name": "Science",
        "model": {"bytes": 10, "sha256": "ab"},
        "remembers_conversation": True,
    }


def test_the_manifest_tells_all_that_is_known_under_the_keys_that_the_app_reads() -> None:
    document = AppManifest(
        "Science",
        ModelFacts(10, "ab", 65_000_000, 32, "cd"),
        base_model=ModelFacts(9, "ef", 64_000_000),
        adapters=[AdapterFacts("01", "poet", 3, 32, "cd"), AdapterFacts("02", "clerk", 4, 32, "cd")],
        description="Knows metals.",
        remembers_conversation=False,
        base="Gemma 3",
        parameters=7,
        data="mine.jsonl",
        examples=12,
        data_sha256="34",
        method="LoRA",
        rank=8,
        alpha=16.0,
        targets=("query", "value"),
        epochs=3,
        quantization="int8",
        accuracy=0.75,
        accuracy_interval=(0.3, 0.95),
        questions=4,
        runtime="LiteRT-LM 0.18.1",
        made="2026-01-31",
        licence="Apache",
        terms="Gemma's",
    ).document()
    assert document == {
        "format": 2,
        "name": "Science",
        "description": "Knows metals.",
        "model": {
            "bytes": 10,
            "sha256": "ab",
            "memory_bytes": 65_000_000,
            "adapter_rank": 32,
            "base_digest": "cd",
        },
        "base_model": {"bytes": 9, "sha256": "ef", "memory_bytes": 64_000_000},
        "adapters": [
            {"sha256": "01", "name": "poet", "bytes": 3, "rank": 32, "base_digest": "cd"},
            {"sha256": "02", "name": "clerk", "bytes": 4, "rank": 32, "base_digest": "cd"},
        ],
        "remembers_conversation": False,
        "base": {"name": "Gemma 3", "parameters": 7},
        "data": {"name": "mine.jsonl", "examples": 12, "sha256": "34"},
        "tuning": {
            "method": "LoRA",
            "rank": 8,
            "alpha": 16.0,
            "targets": ["query", "value"],
            "epochs": 3,
        },
        "quantization": "int8",
        "check": {"accuracy": 0.75, "accuracy_low": 0.3, "accuracy_high": 0.95, "questions": 4},
        "runtime": "LiteRT-LM 0.18.1",
        "made": "2026-01-31",
        "licence": "Apache",
        "terms": "Gemma's",
    }
