"""Every check of a finished APK is seen refusing: each test breaks one thing and signs again, as a faulty build would."""

import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.apk import resources
from pipeline.apk.build import AppBuild, build_app
from pipeline.apk.check import ApkReport, ExpectedApk, check_apk
from pipeline.apk.manifest import AppManifest
from pipeline.apk.package import package_apk
from pipeline.apk.project import MAIN
from pipeline.apk.resources import build_resources
from pipeline.apk.sign import sign
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError

pytestmark = pytest.mark.slow

ABI = "arm64-v8a"
LIBRARY = f"lib/{ABI}/libpocketgemma.so"


@dataclass(frozen=True)
class Workshop:
    """A built app and a model, ready to be put together well or badly."""

    app: AppBuild
    model: Path
    folder: Path

    @property
    def expected(self) -> ExpectedApk:
        return ExpectedApk(self.app.settings, (ABI,), sha256_of_file(self.model))

    def package(self, **changes: object) -> Path:
        """An unsigned APK; `changes` replace fields of the app."""
        unsigned = self.folder / "unsigned.apk"
        package_apk(
            replace(self.app, **changes), self.model, AppManifest("Test", 1, "ab").document(), [], unsigned
        )  # type: ignore[arg-type]
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
    model = tmp_path / "model.litertlm"
    model.write_bytes(b"LITERTLM" + bytes(range(256)) * 64)
    return Workshop(replace(built, libraries={ABI: (small, built.libraries[ABI][1])}), model, tmp_path)


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
        PocketGemmaError, match=f"the model inside has sha256 .*, expected {expected.model_sha256}"
    ):
        check_apk(workshop.signed(workshop.package()), expected)


def test_a_missing_model_is_refused_and_so_is_one_too_many(workshop: Workshop) -> None:
    apk = workshop.signed(
        repack(
            workshop.package(), lambda entry, data: None if "litertlm" in entry.filename else (entry, data)
        )
    )
    with pytest.raises(PocketGemmaError, match=r"the model inside has sha256 \(no model\)"):
        check_apk(apk, workshop.expected)
    with pytest.raises(PocketGemmaError, match=r"expected \(no model\)"):
        check_apk(workshop.signed(workshop.package()), replace(workshop.expected, model_sha256=None))


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
