"""Promise: an APK tells the app, its libraries, the model inside and what the app says of it, and what of
that could not be read."""

import json
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError, PocketGemmaError
from pipeline.formats.litertlm import read_container
from pipeline.formats.litertlm_writer import rewrite
from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.inspect import apk as inspected
from pipeline.inspect.facts import Report
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_report
from pipeline.targets.android import check, tools
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.build import build_app
from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.sign import sign
from pipeline.targets.target import Provenance
from tests.support.damage import damaged
from tests.support.litertlm import write_container
from tests.support.tflite import Constant, write_tflite

PAGE = 16384


def elf(alignment: int) -> bytes:
    """A 64-bit ELF file with one LOAD segment."""
    header = (
        b"\x7fELF\x02\x01"
        + bytes(26)
        + struct.pack("<Q", 64)
        + bytes(14)
        + struct.pack("<HH", 56, 1)
        + bytes(6)
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 120, 120, alignment)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tflite = write_tflite(tmp_path / "m.tflite", [Constant(("m",), (6, 64), "INT8", bytes(384), 6)])
    return write_container(tmp_path / "model.litertlm", model=tflite.read_bytes())


def write_apk(path: Path, model: Path | None, told: str, *, compressed: bool = False) -> Path:
    """What an APK is to a zip reader: nothing that aapt2 or apksigner could read."""
    with zipfile.ZipFile(path, "w") as apk:
        apk.writestr("AndroidManifest.xml", b"binary XML")
        apk.writestr("classes.dex", bytes(70))
        apk.writestr(MANIFEST_ENTRY, json.dumps({"name": "Test", "model": {"sha256": told}}))
        apk.writestr("lib/arm64-v8a/libmisplaced.so", elf(PAGE))
        apk.writestr("lib/arm64-v8a/libpacked.so", elf(PAGE), zipfile.ZIP_DEFLATED)
        for name, content in (("small", elf(4096)), ("good", elf(PAGE)), ("text", b"no library")):
            entry = zipfile.ZipInfo(f"lib/arm64-v8a/lib{name}.so")
            start = apk.fp.tell() + 30 + len(entry.filename) + 4  # type: ignore[union-attr]
            entry.extra = struct.pack("<HH", 0xD935, -start % PAGE) + bytes(-start % PAGE)
            apk.writestr(entry, content)
        if model:
            kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            apk.write(model, MODEL_ENTRY, kind)
    return path


def test_the_model_inside_is_told_as_the_file_itself(tmp_path: Path, model: Path) -> None:
    apk = write_apk(tmp_path / "app.apk", model, sha256_of_file(model))
    found = inspect_file(apk)
    alone, inside = inspect_file(model).document(), found.document()["inside"]
    assert inside["name"] == MODEL_ENTRY
    assert inside | {"name": alone["name"], "format": alone["format"]} == alone
    assert not any("another model" in note for note in found.notes)
    assert found.app is not None
    assert (found.app.abis, found.app.dex_bytes) == (("arm64-v8a",), 70)
    assert found.app.manifest == {"name": "Test", "model": {"sha256": sha256_of_file(model)}}


def test_libraries_that_a_phone_with_large_pages_cannot_load_are_told(tmp_path: Path) -> None:
    app = inspect_file(write_apk(tmp_path / "app.apk", None, "ab")).app
    assert app is not None
    found = {Path(each.name).stem[3:]: (each.pages_16k, each.segment_alignment) for each in app.libraries}
    assert found == {
        "misplaced": (False, PAGE),
        "packed": (False, None),
        "small": (False, 4096),
        "good": (True, PAGE),
        "text": (False, None),
    }


def test_a_manifest_that_tells_of_another_model_is_noted(tmp_path: Path, model: Path) -> None:
    found = inspect_file(write_apk(tmp_path / "app.apk", model, "ab" * 32))
    assert any("records a different model" in note for note in found.notes)


def test_an_app_without_a_model_and_one_with_a_compressed_model_are_noted(
    tmp_path: Path, model: Path
) -> None:
    without = inspect_file(write_apk(tmp_path / "a.apk", None, "ab"))
    assert without.inside is None
    assert any("no model inside" in note for note in without.notes)
    packed = inspect_file(write_apk(tmp_path / "b.apk", model, "ab", compressed=True))
    assert packed.inside is None
    assert any("is compressed, so the phone cannot map it" in note for note in packed.notes)


def test_a_damaged_model_inside_is_refused(tmp_path: Path, model: Path) -> None:
    model.write_bytes(model.read_bytes()[:20000])
    with pytest.raises(InputError, match="truncated"):
        inspect_file(write_apk(tmp_path / "app.apk", model, "ab"))


def test_without_the_programs_the_rest_is_told(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise PocketGemmaError(f"{name} is not installed")

    for place in (tools, check, inspected):
        monkeypatch.setattr(place, "find_tool", missing)
    found = inspect_file(write_apk(tmp_path / "app.apk", model, sha256_of_file(model)))
    assert found.app is not None and found.inside is not None
    assert (found.app.package, found.app.permissions, found.app.signature_schemes) == (None, None, None)
    assert {"aapt2 is not installed", "apksigner is not installed"} <= set(found.notes)
    print_report(found)
    assert "not read" in capsys.readouterr().out


BASE_DIGEST = "cd" * 32


def write_full_apk(path: Path, model: Path, poet: Path, **changes: object) -> Path:
    """An app with a model, a base and an adapter; `changes` replace what it tells."""
    facts = ModelFacts(model.stat().st_size, sha256_of_file(model))
    told = AdapterFacts(sha256_of_file(poet), "poet", poet.stat().st_size, 16, BASE_DIGEST)
    with zipfile.ZipFile(path, "w") as apk:
        apk.writestr("AndroidManifest.xml", b"binary XML")
        manifest = AppManifest("Test", facts, facts, [told]).document() | changes
        apk.writestr(MANIFEST_ENTRY, json.dumps(manifest))
        apk.writestr(QUESTIONS_ENTRY, "[]")
        apk.write(model, MODEL_ENTRY)
        apk.write(model, BASE_ENTRY)
        apk.write(poet, adapter_entry(sha256_of_file(poet)))
    return path


@pytest.fixture
def poet(tmp_path: Path) -> Path:
    path = tmp_path / "poet.tflite"
    random = np.random.default_rng(0)
    a, b = (random.random(shape, np.float32) for shape in ((8, 4), (4, 8)))
    write_adapter_file(path, {("query", 0): (a, b)}, rank=16, base_digest=BASE_DIGEST, name="poet")
    return path


@pytest.fixture
def taker(tmp_path: Path, model: Path) -> Path:
    """A model that says that it takes such adapters."""
    path = tmp_path / "taker.litertlm"
    rewrite(read_container(model), path, system={"lora_rank": "16", "base_digest": BASE_DIGEST})
    return path


def fitting(found: Report) -> list[str]:
    """Notes but those of programs that cannot read what is no real APK."""
    return [
        note
        for note in found.notes
        if "aapt2" not in note and "signature" not in note and "reading" not in note
    ]


def test_base_and_adapters_are_told_as_the_files_themselves(
    tmp_path: Path, taker: Path, poet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = inspect_file(write_full_apk(tmp_path / "app.apk", taker, poet))
    assert found.inside is not None and found.base is not None
    assert (found.base.name, found.base.sha256) == (BASE_ENTRY, sha256_of_file(taker))
    alone, (inside,) = inspect_file(poet), found.adapters
    assert replace(inside, name=alone.name) == alone
    assert fitting(found) == []
    assert found.document()["adapters"][0]["sha256"] == sha256_of_file(poet)
    print_report(found)
    printed = capsys.readouterr().out
    for word in (BASE_ENTRY, "run-time adapter for LiteRT-LM", f"poet ({sha256_of_file(poet)[:12]}…)"):
        assert word in printed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_model": {"sha256": "ab" * 32}}, "the app records a different base"),
        ({"base_model": None}, f"the app does not record {BASE_ENTRY}"),
        ({"adapters": []}, "the app does not record assets/adapters/"),
        ({"adapters": [{"sha256": "ab" * 32}]}, "the app records an adapter that is not inside"),
    ],
)
def test_what_an_app_tells_otherwise_than_it_carries_is_noted(
    tmp_path: Path, taker: Path, poet: Path, changes: dict[str, object], said: str
) -> None:
    found = inspect_file(write_full_apk(tmp_path / "app.apk", taker, poet, **changes))
    assert any(said in note for note in found.notes)


def test_an_adapter_of_another_base_is_noted(tmp_path: Path, model: Path, poet: Path) -> None:
    found = inspect_file(write_full_apk(tmp_path / "app.apk", model, poet))
    assert any("does not belong to the model inside" in note for note in found.notes)


def test_a_damaged_adapter_inside_is_refused(tmp_path: Path, taker: Path, poet: Path) -> None:
    content = bytearray(poet.read_bytes())
    content[-65000] ^= 1
    poet.write_bytes(content)
    with pytest.raises(InputError):
        inspect_file(write_full_apk(tmp_path / "app.apk", taker, poet))
    poet.write_bytes(b"no adapter")
    with pytest.raises(InputError, match="not a run-time adapter"):
        inspect_file(write_full_apk(tmp_path / "app.apk", taker, poet))


def test_an_app_of_the_first_format_is_still_told(tmp_path: Path, model: Path) -> None:
    apk = write_apk(tmp_path / "app.apk", model, sha256_of_file(model))
    found = inspect_file(apk)
    assert found.inside is not None and found.app is not None
    assert (found.base, found.adapters, found.app.manifest) == (
        None,
        (),
        {"name": "Test", "model": {"sha256": sha256_of_file(model)}},
    )
    assert not any("tell" in note for note in found.notes)


@pytest.mark.slow
def test_libraries_that_the_phone_unpacks_can_be_loaded_and_count_twice(tmp_path: Path, model: Path) -> None:
    app = build_app(["arm64-v8a"], "PocketGemma", compress_libraries=True)
    small = replace(app, libraries={"arm64-v8a": app.libraries["arm64-v8a"][1:]})
    manifest = AppManifest("Test", ModelFacts(model.stat().st_size, sha256_of_file(model)))
    package_apk(small, Assets(manifest.document(), [], model), tmp_path / "app.apk")
    found = inspect_file(tmp_path / "app.apk").app
    assert found is not None and found.extracts_libraries and found.installed_bytes
    (library,) = found.libraries
    assert (library.pages_16k, library.offset, library.segment_alignment) == (True, None, PAGE)
    assert found.installed_bytes == (tmp_path / "app.apk").stat().st_size + library.bytes


@pytest.mark.slow
def test_an_app_of_this_package_is_told_in_full(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = build_app(["arm64-v8a"], "PocketGemma")
    facts = ModelFacts(model.stat().st_size, sha256_of_file(model))
    manifest = AppManifest("Test", facts, provenance=Provenance(quantization="int8"))
    package_apk(app, Assets(manifest.document(), ["Why?"], model), tmp_path / "unsigned.apk")
    with pytest.raises(PocketGemmaError, match="signature"):
        check.check_signature(tmp_path / "unsigned.apk", 24)
    unsigned = inspect_file(tmp_path / "unsigned.apk").app
    assert unsigned is not None and unsigned.signature_schemes == ()
    sign(tmp_path / "unsigned.apk", tmp_path / "app.apk")
    found = inspect_file(tmp_path / "app.apk")
    assert found.app is not None and found.inside is not None
    assert (found.app.package, found.app.permissions) == (app.settings.application_id, ())
    assert (found.app.min_sdk, found.app.signature_schemes) == ("24", ("v2", "v3"))
    assert found.app.sample_questions == ("Why?",)
    assert all(library.pages_16k and library.segment_alignment == PAGE for library in found.app.libraries)
    assert len(found.app.libraries) == 2
    assert (found.inside.sha256, found.notes) == (sha256_of_file(model), ())
    print_report(found)
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines()) <= 100
    for word in (
        "permissions    none",
        "valid, v2, v3",
        "loads (at byte",
        "quantization",
        "assets/model.litertlm",
    ):
        assert word in printed
    for content in damaged((tmp_path / "app.apk").read_bytes(), 12):
        (tmp_path / "damaged.apk").write_bytes(content)
        try:
            report = inspect_file(tmp_path / "damaged.apk")
        except InputError:
            continue
        assert report.notes and report.app is not None and report.app.signature_schemes == ()
