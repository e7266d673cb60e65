"""Every check of a finished APK refuses something: each test breaks one thing and signs the APK again, as a
faulty build would."""

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android import resources
from pipeline.targets.android.assets import BASE_ENTRY
from pipeline.targets.android.build import build_app
from pipeline.targets.android.check import check_apk
from pipeline.targets.android.project import MAIN
from pipeline.targets.android.resources import build_resources
from tests.targets.android.workshop import ABI, LIBRARY, Workshop, repack

pytestmark = pytest.mark.slow


def test_a_good_apk_passes_and_is_reported(workshop: Workshop) -> None:
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
    with pytest.raises(PocketGemmaError, match="signature is not valid"):
        check_apk(workshop.package(), workshop.expected)


def test_one_flipped_byte_breaks_the_signature(workshop: Workshop) -> None:
    apk = workshop.signed(workshop.package())
    content = bytearray(apk.read_bytes())
    content[content.index(workshop.model.read_bytes()) + 100] ^= 1
    apk.write_bytes(content)
    with pytest.raises(PocketGemmaError, match="signature is not valid"):
        check_apk(apk, workshop.expected)


def test_another_model_is_refused(workshop: Workshop) -> None:
    expected = workshop.expected
    workshop.model.write_bytes(b"LITERTLM another")
    with pytest.raises(
        PocketGemmaError,
        match=f"the packaged model has sha256 .*, expected {expected.files[0].actual_sha256}",
    ):
        check_apk(workshop.signed(workshop.package()), expected)


@pytest.mark.parametrize("index", range(4))
def test_a_missing_file_is_refused_and_so_is_an_unexpected_one(workshop: Workshop, index: int) -> None:
    each = workshop.expected.files[index]
    without = repack(
        workshop.package(), lambda entry, data: None if entry.filename == each.entry else (entry, data)
    )
    with pytest.raises(
        PocketGemmaError, match=rf"the packaged {each.role} is missing, expected sha256 {each.actual_sha256}"
    ):
        check_apk(workshop.signed(without), workshop.expected)
    others = [other for other in workshop.expected.files if other != each]
    with pytest.raises(
        PocketGemmaError, match=rf"the packaged {each.role} is unexpected: sha256 {each.actual_sha256}"
    ):
        check_apk(workshop.signed(workshop.package()), replace(workshop.expected, files=others))


@pytest.mark.parametrize("index", range(1, 4))
def test_another_base_or_adapter_under_the_same_name_is_refused(workshop: Workshop, index: int) -> None:
    each = workshop.expected.files[index]
    exchanged = repack(
        workshop.package(),
        lambda entry, data: (entry, data[:-1] + b"!" if entry.filename == each.entry else data),
    )
    with pytest.raises(
        PocketGemmaError, match=f"the packaged {each.role} has sha256 .*, expected {each.actual_sha256}"
    ):
        check_apk(workshop.signed(exchanged), workshop.expected)


@pytest.mark.parametrize("key", ["model", "base_model", "adapters"])
def test_a_manifest_that_declares_another_model_is_refused(workshop: Workshop, key: str) -> None:
    declared = workshop.assets.manifest[key]
    other = [declared[0]] if isinstance(declared, list) else declared | {"sha256": "ab" * 32}
    assets = replace(workshop.assets, manifest=dict(workshop.assets.manifest) | {key: other})
    with pytest.raises(
        PocketGemmaError, match=r"that assets/manifest\.json declares (has|is missing, expected) sha256"
    ):
        workshop.check(workshop.package(assets))


def test_adapters_declared_in_another_order_are_refused(workshop: Workshop) -> None:
    manifest = dict(workshop.assets.manifest)
    assets = replace(workshop.assets, manifest=manifest | {"adapters": manifest["adapters"][::-1]})
    with pytest.raises(PocketGemmaError, match="in another order, expected the app's own fine-tune first"):
        workshop.check(workshop.package(assets))


@pytest.mark.parametrize(
    ("change", "message"), [({"format": 1}, "has format 1, expected 2"), ({"name": ""}, "has no name")]
)
def test_a_manifest_of_another_format_is_refused(
    workshop: Workshop, change: dict[str, object], message: str
) -> None:
    assets = replace(workshop.assets, manifest=dict(workshop.assets.manifest) | change)
    with pytest.raises(PocketGemmaError, match=message):
        workshop.check(workshop.package(assets))


def test_a_compressed_or_misaligned_model_is_refused(workshop: Workshop) -> None:
    def change(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == BASE_ENTRY:
            entry.compress_type, entry.extra = zipfile.ZIP_DEFLATED, b""
        if entry.filename == workshop.expected.files[3].entry:
            entry.extra = b""
        return entry, data

    with pytest.raises(PocketGemmaError) as refused:
        workshop.check(repack(workshop.package(), change))
    assert f"{BASE_ENTRY} is compressed" in str(refused.value)
    assert f"{workshop.expected.files[3].entry} starts at byte" in str(refused.value)


def test_an_app_with_compressed_libraries_passes_and_reports_both_sizes(workshop: Workshop) -> None:
    app = build_app([ABI], "PocketGemma", compress_libraries=True)
    packed = replace(workshop, app=replace(app, libraries=workshop.app.libraries))
    stored, report = workshop.check(workshop.package()), packed.check(packed.package())
    assert report.bytes < stored.bytes
    libraries = sum(path.stat().st_size for path in workshop.app.libraries[ABI])
    assert report.installed_bytes == report.bytes + libraries
    assert app.dex == workshop.app.dex


def test_libraries_that_contradict_the_android_manifest_are_refused(workshop: Workshop) -> None:
    packed = build_app([ABI], "PocketGemma", compress_libraries=True)
    with pytest.raises(
        PocketGemmaError, match="specifies native libraries unpacked at installation, expected mapped"
    ):
        workshop.check(workshop.package(resources=packed.resources))
    expected = replace(workshop.expected, compressed_libraries=True)
    with pytest.raises(
        PocketGemmaError, match="specifies native libraries mapped from the APK, expected unpacked"
    ) as refused:
        check_apk(workshop.signed(workshop.package()), expected)
    assert f"{LIBRARY} is not compressed" in str(refused.value)


@pytest.fixture
def changed_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Build the resources from a copy of the sources with one replacement in the Android manifest."""

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
    """Build the resources with other attributes for backups and debugging."""

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
        PocketGemmaError, match=r"requests permissions \(android\.permission\.INTERNET\), expected none"
    ):
        workshop.check(workshop.package(resources=apk))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('android:allowBackup="true"', "allows backups .* without an agent"),
        ("", "allows backups .* without an agent"),
        (
            'android:allowBackup="true" android:backupAgent=".NoSuchAgent"',
            r"the backup agent io\.pocketgemma\.chat\.NoSuchAgent is not in classes\.dex",
        ),
        ('android:allowBackup="false" android:debuggable="true"', "is debuggable"),
    ],
)
def test_an_app_that_exposes_its_chats_is_refused(
    workshop: Workshop,
    changed_application: Callable[[str], Path],
    attributes: str,
    message: str,
) -> None:
    with pytest.raises(PocketGemmaError, match=message):
        workshop.check(workshop.package(resources=changed_application(attributes)))


def test_another_identity_is_refused(workshop: Workshop) -> None:
    other = replace(workshop.expected, settings=replace(workshop.app.settings, target_sdk=36, version_code=2))
    with pytest.raises(
        PocketGemmaError, match="versionCode is 1, expected 2; targetSdkVersion is 35, expected 36"
    ):
        check_apk(workshop.signed(workshop.package()), other)


def test_an_apk_without_the_app_s_manifest_is_refused(workshop: Workshop) -> None:
    apk = repack(
        workshop.package(),
        lambda entry, data: None if entry.filename == "assets/manifest.json" else (entry, data),
    )
    with pytest.raises(PocketGemmaError, match=r"assets/manifest\.json is missing"):
        workshop.check(apk)
