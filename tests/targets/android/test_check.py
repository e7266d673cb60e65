"""Every check of a finished APK is seen refusing: each test breaks one thing and signs again, as a faulty build would."""

import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android import resources
from pipeline.targets.android.assets import BASE_ENTRY, MODEL_ENTRY, adapter_entry
from pipeline.targets.android.build import AppBuild, build_app
from pipeline.targets.android.check import ApkReport, ExpectedApk, check_apk
from pipeline.targets.android.contents import Carried
from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.android.native_check import unpacked_bytes
from pipeline.targets.android.package import Assets, package_apk
from pipeline.targets.android.project import MAIN
from pipeline.targets.android.resources import build_resources
from pipeline.targets.android.sign import sign

pytestmark = pytest.mark.slow

ABI = "arm64-v8a"
LIBRARY = f"lib/{ABI}/libpocketgemma.so"


@dataclass(frozen=True)
class Workshop:
    """A built app, a model, its base and two adapters, ready to be put together well or badly."""

    app: AppBuild
    model: Path
    base: Path
    adapters: tuple[Path, ...]
    folder: Path

    @property
    def expected(self) -> ExpectedApk:
        model, base, *adapters = map(sha256_of_file, (self.model, self.base, *self.adapters))
        carried = [Carried("model", MODEL_ENTRY, model, model), Carried("base", BASE_ENTRY, base, base)]
        carried += [Carried("adapter", adapter_entry(each), each, each) for each in adapters]
        return ExpectedApk(self.app.settings, (ABI,), carried, self.app.compressed_libraries)

    @property
    def assets(self) -> Assets:
        model, base = (
            ModelFacts(path.stat().st_size, sha256_of_file(path)) for path in (self.model, self.base)
        )
        adapters = {sha256_of_file(path): path for path in self.adapters}
        told = [AdapterFacts(digest, path.stem, 1, 16, "cd") for digest, path in adapters.items()]
        manifest = AppManifest("Test", model, base, told).document()
        return Assets(manifest, [], self.model, self.base, adapters)

    def package(self, assets: Assets | None = None, **changes: Any) -> Path:
        """An unsigned APK; `changes` replace fields of the app."""
        unsigned = self.folder / "unsigned.apk"
        package_apk(replace(self.app, **changes), assets or self.assets, unsigned)
        return unsigned

    def signed(self, unsigned: Path) -> Path:
        sign(unsigned, self.folder / "app.apk")
        return self.folder / "app.apk"

    def check(self, unsigned: Path) -> ApkReport:
        return check_apk(self.signed(unsigned), self.expected)


@pytest.fixture(scope="module")
def built() -> AppBuild:
    return build_app([ABI], "PocketGemma")


@pytest.fixture
def workshop(built: AppBuild, tmp_path: Path) -> Workshop:
    # The runtime's library is 37 MB; for checking, any library will do.
    small = tmp_path / "liblitert-lm.so"
    shutil.copyfile(built.libraries[ABI][1], small)
    names = ("model.litertlm", "base.litertlm", "poet.tflite", "clerk.tflite")
    model, base, *adapters = (tmp_path / name for name in names)
    for number, path in enumerate((model, base, *adapters)):
        path.write_bytes(b"LITERTLM" + bytes([number]) + bytes(range(256)) * 64)
    app = replace(built, libraries={ABI: (small, built.libraries[ABI][1])})
    return Workshop(app, model, base, tuple(adapters), tmp_path)


def repack(
    apk: Path, change: Callable[[zipfile.ZipInfo, bytes], tuple[zipfile.ZipInfo, bytes] | None]
) -> Path:
    """Rewrite an unsigned APK entry by entry; `change` gives the new entry, or None to leave it out."""
    target = apk.with_name("repacked.apk")
    with zipfile.ZipFile(apk) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            changed = change(entry, old.read(entry))
            if changed:
                new.writestr(*changed)
    return target


def test_a_good_apk_passes_and_is_described(workshop: Workshop) -> None:
    report = workshop.check(workshop.package())
    assert report.permissions == ()
    assert report.abis == (ABI,)
    assert report.signature_schemes == ("v2", "v3")
    assert (report.application_id, report.min_sdk, report.target_sdk) == ("io.pocketgemma.chat", 24, 35)
    assert report.model_sha256 == sha256_of_file(workshop.model)
    assert report.base_sha256 == sha256_of_file(workshop.base)
    assert report.adapter_sha256s == tuple(map(sha256_of_file, workshop.adapters))
    assert report.bytes == report.installed_bytes == report.path.stat().st_size
    assert report.dex_bytes < 1_000_000
    assert report.sha256 == sha256_of_file(report.path)


def test_an_unsigned_apk_is_refused(workshop: Workshop) -> None:
    with pytest.raises(PocketGemmaError, match="signature does not hold"):
        check_apk(workshop.package(), workshop.expected)


def test_one_flipped_byte_breaks_the_signature(workshop: Workshop) -> None:
    apk = workshop.signed(workshop.package())
    content = bytearray(apk.read_bytes())
    content[content.index(workshop.model.read_bytes()) + 100] ^= 1
    apk.write_bytes(content)
    with pytest.raises(PocketGemmaError, match="signature does not hold"):
        check_apk(apk, workshop.expected)


def test_another_model_is_refused(workshop: Workshop) -> None:
    expected = workshop.expected
    workshop.model.write_bytes(b"LITERTLM another")
    with pytest.raises(
        PocketGemmaError, match=f"the model inside has sha256 .*, expected {expected.carried[0].inside}"
    ):
        check_apk(workshop.signed(workshop.package()), expected)


@pytest.mark.parametrize("index", range(4))
def test_what_is_missing_is_refused_and_so_is_one_too_many(workshop: Workshop, index: int) -> None:
    each = workshop.expected.carried[index]
    without = repack(
        workshop.package(), lambda entry, data: None if entry.filename == each.entry else (entry, data)
    )
    with pytest.raises(PocketGemmaError, match=rf"the {each.role} inside has sha256 \(no {each.role}\)"):
        check_apk(workshop.signed(without), workshop.expected)
    others = [other for other in workshop.expected.carried if other != each]
    with pytest.raises(PocketGemmaError, match=rf"expected \(no {each.role}\)"):
        check_apk(workshop.signed(workshop.package()), replace(workshop.expected, carried=others))


@pytest.mark.parametrize("index", range(1, 4))
def test_another_base_or_adapter_under_the_same_name_is_refused(workshop: Workshop, index: int) -> None:
    each = workshop.expected.carried[index]
    exchanged = repack(
        workshop.package(),
        lambda entry, data: (entry, data[:-1] + b"!" if entry.filename == each.entry else data),
    )
    with pytest.raises(
        PocketGemmaError, match=f"the {each.role} inside has sha256 .*, expected {each.inside}"
    ):
        check_apk(workshop.signed(exchanged), workshop.expected)


@pytest.mark.parametrize("key", ["model", "base_model", "adapters"])
def test_an_app_that_tells_of_another_model_than_it_has_is_refused(workshop: Workshop, key: str) -> None:
    told = workshop.assets.manifest[key]
    other = [told[0]] if isinstance(told, list) else told | {"sha256": "ab" * 32}
    assets = replace(workshop.assets, manifest=dict(workshop.assets.manifest) | {key: other})
    with pytest.raises(PocketGemmaError, match="that the app tells of has sha256"):
        workshop.check(workshop.package(assets))


def test_adapters_told_in_another_order_are_refused(workshop: Workshop) -> None:
    told = workshop.assets.manifest
    assets = replace(workshop.assets, manifest=dict(told) | {"adapters": told["adapters"][::-1]})
    with pytest.raises(PocketGemmaError, match="in another order; the first is its own fine-tune"):
        workshop.check(workshop.package(assets))


@pytest.mark.parametrize(
    ("change", "said"), [({"format": 1}, "has format 1, expected 2"), ({"name": ""}, "does not tell a name")]
)
def test_a_manifest_of_another_format_is_refused(
    workshop: Workshop, change: dict[str, object], said: str
) -> None:
    assets = replace(workshop.assets, manifest=dict(workshop.assets.manifest) | change)
    with pytest.raises(PocketGemmaError, match=said):
        workshop.check(workshop.package(assets))


def test_a_compressed_or_misplaced_model_is_refused(workshop: Workshop) -> None:
    def change(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == BASE_ENTRY:
            entry.compress_type, entry.extra = zipfile.ZIP_DEFLATED, b""
        if entry.filename == workshop.expected.carried[3].entry:
            entry.extra = b""
        return entry, data

    with pytest.raises(PocketGemmaError) as refused:
        workshop.check(repack(workshop.package(), change))
    assert f"{BASE_ENTRY} is compressed" in str(refused.value)
    assert f"{workshop.expected.carried[3].entry} lies at" in str(refused.value)


def test_a_misplaced_library_is_refused(workshop: Workshop) -> None:
    def without_padding(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == LIBRARY:
            entry.extra = b""
        return entry, data

    # apksigner keeps what is aligned and leaves the rest where it lies when told not to repair it.
    with pytest.raises(PocketGemmaError, match=rf"{LIBRARY} lies at \d+, not at a multiple of 16384"):
        workshop.check(repack(workshop.package(), without_padding))


def test_a_library_for_small_pages_is_refused(workshop: Workshop) -> None:
    library = workshop.app.libraries[ABI][0]
    content = bytearray(library.read_bytes())
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    loaded = [entry for entry in range(table, table + size * count, size) if content[entry] == 1]
    struct.pack_into("<Q", content, loaded[-1] + 48, 4096)
    library.write_bytes(content)
    with pytest.raises(
        PocketGemmaError, match=r"liblitert-lm\.so has a segment aligned to 4096, less than 16384"
    ):
        workshop.check(workshop.package())


def test_a_compressed_library_is_refused(workshop: Workshop) -> None:
    def compressed(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == LIBRARY:
            entry.compress_type, entry.extra = zipfile.ZIP_DEFLATED, b""
        return entry, data

    with pytest.raises(PocketGemmaError, match=f"{LIBRARY} is compressed"):
        workshop.check(repack(workshop.package(), compressed))


def test_an_app_whose_libraries_are_to_be_unpacked_passes_and_tells_both_sizes(workshop: Workshop) -> None:
    app = build_app([ABI], "PocketGemma", compress_libraries=True)
    packed = replace(workshop, app=replace(app, libraries=workshop.app.libraries))
    stored, report = workshop.check(workshop.package()), packed.check(packed.package())
    assert report.bytes < stored.bytes
    libraries = sum(path.stat().st_size for path in workshop.app.libraries[ABI])
    assert report.installed_bytes == report.bytes + libraries
    assert app.dex == workshop.app.dex


def test_libraries_that_lie_otherwise_than_the_manifest_says_are_refused(workshop: Workshop) -> None:
    packed = build_app([ABI], "PocketGemma", compress_libraries=True)
    with pytest.raises(PocketGemmaError, match="libraries are unpacked by the phone, expected mapped"):
        workshop.check(workshop.package(resources=packed.resources))
    expected = replace(workshop.expected, compressed_libraries=True)
    with pytest.raises(
        PocketGemmaError, match="libraries are mapped from the APK, expected unpacked"
    ) as refused:
        check_apk(workshop.signed(workshop.package()), expected)
    assert f"{LIBRARY} is not compressed" in str(refused.value)


def test_of_several_abis_the_largest_counts_as_unpacked(workshop: Workshop) -> None:
    libraries = workshop.app.libraries[ABI]
    unsigned = workshop.package(libraries={ABI: libraries, "x86_64": libraries[:1]})
    with zipfile.ZipFile(unsigned) as archive:
        assert unpacked_bytes(archive) == sum(path.stat().st_size for path in libraries)


def test_missing_and_unexpected_abis_are_refused(workshop: Workshop) -> None:
    libraries = workshop.app.libraries[ABI]
    with pytest.raises(PocketGemmaError, match="holds libraries for arm64-v8a, x86_64, expected arm64-v8a"):
        workshop.check(workshop.package(libraries={ABI: libraries, "x86_64": libraries}))
    with pytest.raises(PocketGemmaError, match=r"holds libraries for no ABI.*libpocketgemma\.so is missing"):
        workshop.check(workshop.package(libraries={}))


@pytest.fixture
def changed_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Builds the resources from a copy of the sources in which one text of the manifest is replaced."""

    def make(old: str, new: str) -> Path:
        copy = tmp_path / "main"
        shutil.copytree(MAIN / "res", copy / "res")
        text = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
        assert old in text
        (copy / "AndroidManifest.xml").write_text(text.replace(old, new, 1), encoding="utf-8")
        monkeypatch.setattr(resources, "MAIN", copy)
        return build_resources("PocketGemma").apk

    return make


@pytest.fixture
def changed_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Builds the resources with other attributes about backups and debugging than the app's own."""

    def make(attributes: str) -> Path:
        copy = tmp_path / "main"
        shutil.copytree(MAIN / "res", copy / "res")
        text = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
        text = re.sub(r'\s+android:(allowBackup|backupAgent|debuggable)="[^"]*"', "", text)
        text = text.replace("<application", f"<application {attributes}", 1)
        (copy / "AndroidManifest.xml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(resources, "MAIN", copy)
        return build_resources("PocketGemma").apk

    return make


def test_an_app_that_may_use_the_network_is_refused(
    workshop: Workshop, changed_manifest: Callable[[str, str], Path]
) -> None:
    apk = changed_manifest(
        "<application", '<uses-permission android:name="android.permission.INTERNET" /><application'
    )
    with pytest.raises(
        PocketGemmaError, match=r"asks for permissions \(android\.permission\.INTERNET\), expected none"
    ):
        workshop.check(workshop.package(resources=apk))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ('android:allowBackup="true"', "allows backups .* without an agent"),
        ("", "allows backups .* without an agent"),
        (
            'android:allowBackup="true" android:backupAgent=".NoSuchAgent"',
            r"its backup agent io\.pocketgemma\.chat\.NoSuchAgent is not in classes\.dex",
        ),
        ('android:allowBackup="false" android:debuggable="true"', "is debuggable"),
    ],
)
def test_an_app_that_gives_its_chats_away_is_refused(
    workshop: Workshop,
    changed_application: Callable[[str], Path],
    attributes: str,
    said: str,
) -> None:
    with pytest.raises(PocketGemmaError, match=said):
        workshop.check(workshop.package(resources=changed_application(attributes)))


def test_another_identity_is_refused(workshop: Workshop) -> None:
    other = replace(workshop.expected, settings=replace(workshop.app.settings, target_sdk=36, version_code=2))
    with pytest.raises(
        PocketGemmaError, match="versionCode is 1, expected 2; targetSdkVersion is 35, expected 36"
    ):
        check_apk(workshop.signed(workshop.package()), other)


def test_an_apk_without_its_manifest_for_the_app_is_refused(workshop: Workshop) -> None:
    apk = repack(
        workshop.package(),
        lambda entry, data: None if entry.filename == "assets/manifest.json" else (entry, data),
    )
    with pytest.raises(PocketGemmaError, match=r"assets/manifest\.json is missing"):
        workshop.check(apk)
