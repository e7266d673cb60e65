"""Check a finished APK: its signature, identity, permissions, native libraries, and the models that it
contains."""

import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.assets import MANIFEST_ENTRY, QUESTIONS_ENTRY
from pipeline.targets.android.contents import read_app_manifest, read_packaged_files
from pipeline.targets.android.manifest import FORMAT
from pipeline.targets.android.native_check import (
    abis_of,
    alignment_faults,
    library_faults,
    unpacked_bytes,
)
from pipeline.targets.android.project import AppSettings
from pipeline.targets.android.tools import find_tool, run_tool
from pipeline.targets.target import PackagedFile

# The signature protects entries from changes; this list catches a build that left one out.
_NEEDED = ("AndroidManifest.xml", "resources.arsc", "classes.dex", MANIFEST_ENTRY, QUESTIONS_ENTRY)
_ANDROID = "http://schemas.android.com/apk/res/android:"
_TRUE = ("true", "0xffffffff", "(type 0x12)0xffffffff")


@dataclass(frozen=True)
class ExpectedApk:
    """What an APK must be.

    Attributes:
        settings: what identifies the app.
        abis: the ABIs that it must have native libraries for.
        files: its models and adapters, in the order of `read_packaged_files`.
        compressed_libraries: whether the phone unpacks the libraries at installation; else it maps them from
            the APK.
    """

    settings: AppSettings
    abis: Sequence[str]
    files: Sequence[PackagedFile]
    compressed_libraries: bool = False


@dataclass(frozen=True)
class ApkReport:
    """Facts about an APK that passed the check. Sizes are in bytes.

    Attributes:
        path: the file.
        bytes: its size, which is the size of the download.
        installed_bytes: size on the phone: the APK, and the libraries of one ABI if they are unpacked.
        sha256: of the file.
        application_id: under which the app is installed.
        version: name of the version.
        min_sdk: oldest Android API level that the app runs on.
        target_sdk: Android API level that it is written for.
        permissions: that it requests.
        abis: that it has native libraries for.
        signature_schemes: that verify.
        certificate_sha256: sha256 of the signer's certificate.
        dex_bytes: size of its code.
        compressed_libraries: whether the phone unpacks the libraries at installation.
        model_sha256: of the packaged model; None if there is none.
        base_sha256: of the packaged base; None if there is none.
        adapter_sha256s: of the packaged adapters.
    """

    path: Path
    bytes: int
    installed_bytes: int
    sha256: str
    application_id: str
    version: str
    min_sdk: int
    target_sdk: int
    permissions: tuple[str, ...]
    abis: tuple[str, ...]
    signature_schemes: tuple[str, ...]
    certificate_sha256: str
    dex_bytes: int
    compressed_libraries: bool
    model_sha256: str | None
    base_sha256: str | None
    adapter_sha256s: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The report as JSON, with the file's name instead of its path."""
        return asdict(self) | {"path": self.path.name}


def check_apk(apk: Path, expected: ExpectedApk) -> ApkReport:
    """Check a signed APK.

    Raises:
        PocketGemmaError: the APK is not as expected; the message lists every fault.
    """
    schemes, certificate = check_signature(apk, expected.settings.min_sdk)
    identity, permissions = read_identity(apk)
    application = read_application(apk)
    faults = _identity_faults(identity, permissions, expected.settings)
    with zipfile.ZipFile(apk) as archive:
        names = set(archive.namelist())
        faults += [f"{name} is missing" for name in _NEEDED if name not in names]
        dex = archive.read("classes.dex") if "classes.dex" in names else b""
        faults += _application_faults(application, dex, expected)
        faults += library_faults(apk, archive, expected.abis, compressed=expected.compressed_libraries)
        faults += _manifest_faults(archive)
        found = read_packaged_files(archive)
        faults += _file_faults(found, expected.files)
        faults += alignment_faults(apk, archive, [file.entry for file in found if file.actual_sha256])
        installed = apk.stat().st_size + (unpacked_bytes(archive) if expected.compressed_libraries else 0)
    if faults:
        raise PocketGemmaError(f"{apk}: " + "; ".join(faults))
    packaged = {file.role: file.actual_sha256 for file in found}
    return ApkReport(
        path=apk,
        bytes=apk.stat().st_size,
        installed_bytes=installed,
        sha256=sha256_of_file(apk),
        application_id=identity["package"],
        version=identity["versionName"],
        min_sdk=int(identity["sdkVersion"]),
        target_sdk=int(identity["targetSdkVersion"]),
        permissions=permissions,
        abis=abis_of(names),
        signature_schemes=schemes,
        certificate_sha256=certificate,
        dex_bytes=len(dex),
        compressed_libraries=expected.compressed_libraries,
        model_sha256=packaged.get("model"),
        base_sha256=packaged.get("base"),
        adapter_sha256s=tuple(
            file.actual_sha256 for file in found if file.role == "adapter" and file.actual_sha256
        ),
    )


def check_signature(apk: Path, min_sdk: int) -> tuple[tuple[str, ...], str]:
    """Verify the signature and return the schemes that verify, and the sha256 of the signer's certificate.

    Raises:
        PocketGemmaError: the signature is missing or invalid, or apksigner is not installed.
    """
    command: list[str | Path] = [
        find_tool("apksigner"),
        "verify",
        "--verbose",
        "--print-certs",
        "--min-sdk-version",
        str(min_sdk),
        apk,
    ]
    printed = run_tool(command, f"{apk}: the signature is not valid")
    schemes = tuple(re.findall(r"^Verified using (v\d\S*) scheme.*: true$", printed, re.MULTILINE))
    certificate = re.search(r"certificate SHA-256 digest: ([0-9a-f]{64})", printed)
    if not schemes or certificate is None:
        raise PocketGemmaError(f"{apk}: not signed")
    return schemes, certificate[1]


def read_identity(apk: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the Android manifest: package, versionCode, versionName, sdkVersion and targetSdkVersion; and the
    permissions.

    Raises:
        PocketGemmaError: the APK cannot be read, or aapt2 is not installed.
    """
    badging = run_tool([find_tool("aapt2"), "dump", "badging", apk], f"reading {apk.name}")
    permissions = tuple(re.findall(r"^uses-permission(?:-sdk-23)?: name='([^']*)'", badging, re.MULTILINE))
    return _identity(badging), permissions


def read_application(apk: Path) -> dict[str, str]:
    """Read the attributes of <application> in the Android manifest: names without the namespace, values as
    aapt2 prints them.

    Raises:
        PocketGemmaError: the APK cannot be read, or aapt2 is not installed.
    """
    command: list[str | Path] = [find_tool("aapt2"), "dump", "xmltree", "--file", "AndroidManifest.xml", apk]
    tree = run_tool(command, f"reading {apk.name}")
    element = re.search(r"^ *E: application\b.*\n((?: *A: .*\n?)*)", tree, re.MULTILINE)
    found = re.findall(
        rf"^ *A: {re.escape(_ANDROID)}(\w+)(?:\(0x\w+\))?=(.*)$", element[1] if element else "", re.MULTILINE
    )
    return {name: _text(value) for name, value in found}


def _text(value: str) -> str:
    """The text of an attribute; aapt2 prints a string twice, as "value" (Raw: "source")."""
    text = re.fullmatch(r'"(.*)" \(Raw: ".*"\)', value)
    return text[1] if text else value


def extracts_libraries(application: dict[str, str]) -> bool:
    """Whether a phone unpacks the native libraries of an app with these attributes when it installs it, which
    is Android's default."""
    return application.get("extractNativeLibs", "true") in _TRUE


def _identity(badging: str) -> dict[str, str]:
    found = dict(re.findall(r"^(sdkVersion|targetSdkVersion):'([^']*)'", badging, re.MULTILINE))
    package = re.search(
        r"^package: name='([^']*)' versionCode='([^']*)' versionName='([^']*)'", badging, re.MULTILINE
    )
    if package:
        found |= dict(zip(("package", "versionCode", "versionName"), package.groups(), strict=True))
    return found


def _identity_faults(
    identity: dict[str, str], permissions: tuple[str, ...], settings: AppSettings
) -> list[str]:
    wanted = {
        "package": settings.application_id,
        "versionCode": str(settings.version_code),
        "versionName": settings.version_name,
        "sdkVersion": str(settings.min_sdk),
        "targetSdkVersion": str(settings.target_sdk),
    }
    faults = [
        f"{key} is {identity.get(key)}, expected {value}"
        for key, value in wanted.items()
        if identity.get(key) != value
    ]
    # Not only INTERNET: a chat that never leaves the phone needs no permission at all.
    if permissions:
        faults.append(f"requests permissions ({', '.join(permissions)}), expected none")
    return faults


def _application_faults(application: dict[str, str], dex: bytes, expected: ExpectedApk) -> list[str]:
    faults = []
    if extracts_libraries(application) != expected.compressed_libraries:
        use = {True: "unpacked at installation", False: "mapped from the APK"}
        faults.append(
            f"extractNativeLibs specifies native libraries {use[not expected.compressed_libraries]}, "
            f"expected {use[expected.compressed_libraries]}"
        )
    if application.get("debuggable") in _TRUE:
        faults.append("is debuggable, so anyone with access to the phone can read its files")
    # By default, Android backs up everything. The app's own agent asks the user first.
    agent = application.get("backupAgent")
    if application.get("allowBackup", "true") in _TRUE and agent is None:
        faults.append("allows backups (allowBackup) without an agent (backupAgent) that asks the user first")
    if agent is not None and f"L{agent.replace('.', '/')};".encode() not in dex:
        faults.append(f"the backup agent {agent} is not in classes.dex")
    return faults


def _manifest_faults(archive: zipfile.ZipFile) -> list[str]:
    manifest = read_app_manifest(archive)
    if not manifest:
        return []  # `check_apk` has listed it as missing.
    faults = []
    if manifest.get("format") != FORMAT:
        faults.append(f"{MANIFEST_ENTRY} has format {manifest.get('format')}, expected {FORMAT}")
    if not manifest.get("name"):
        faults.append(f"{MANIFEST_ENTRY} has no name")
    return faults


def _file_faults(found: Sequence[PackagedFile], expected: Sequence[PackagedFile]) -> list[str]:
    """Differences between models and adapters; an adapter is identified by its entry, which contains its
    digest."""
    faults = []
    wanted, present = ({file.entry: file for file in files} for files in (expected, found))
    for entry in dict.fromkeys([*wanted, *present]):
        role = (wanted.get(entry) or present[entry]).role
        absent = PackagedFile(role, entry, None, None)
        want, have = wanted.get(entry, absent), present.get(entry, absent)
        faults += _difference(f"the packaged {role}", have.actual_sha256, want.actual_sha256)
        declared = f"the {role} that {MANIFEST_ENTRY} declares"
        faults += _difference(declared, have.declared_sha256, want.declared_sha256)
    order = [[file.entry for file in files if file.declared_sha256] for files in (found, expected)]
    if not faults and order[0] != order[1]:
        faults.append(
            f"{MANIFEST_ENTRY} lists the adapters in another order, expected the app's own fine-tune first"
        )
    return faults


def _difference(what: str, have: str | None, want: str | None) -> list[str]:
    if have == want:
        return []
    if have is None:
        return [f"{what} is missing, expected sha256 {want}"]
    if want is None:
        return [f"{what} is unexpected: sha256 {have}"]
    return [f"{what} has sha256 {have}, expected {want}"]
