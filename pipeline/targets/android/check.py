"""Looking into a finished APK: is it signed, does it load, does it ask for no network, and are the right models inside?"""

import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.assets import MANIFEST_ENTRY, QUESTIONS_ENTRY
from pipeline.targets.android.contents import Carried, read_carried, read_manifest
from pipeline.targets.android.manifest import FORMAT
from pipeline.targets.android.native_check import abis_of, library_faults, place_faults, unpacked_bytes
from pipeline.targets.android.project import AppSettings
from pipeline.targets.android.tools import find_tool, run_tool

# The signature protects these already; named here so that a build that forgot one is refused.
_NEEDED = ("AndroidManifest.xml", "resources.arsc", "classes.dex", MANIFEST_ENTRY, QUESTIONS_ENTRY)
_ANDROID = "http://schemas.android.com/apk/res/android:"
_TRUE = ("true", "0xffffffff", "(type 0x12)0xffffffff")


@dataclass(frozen=True)
class ExpectedApk:
    """What the APK has to be.

    Attributes:
        settings: what identifies the app.
        abis: those it has libraries for.
        carried: its models and adapters, as `read_carried` gives them.
        compressed_libraries: whether the phone unpacks the libraries at installation; else it maps them from the APK.
    """

    settings: AppSettings
    abis: Sequence[str]
    carried: Sequence[Carried]
    compressed_libraries: bool = False


@dataclass(frozen=True)
class ApkReport:
    """What was found in an APK that passed. Sizes are in bytes."""

    path: Path
    # What is downloaded.
    bytes: int
    # What a phone keeps after the installation: the APK, and the libraries of one ABI when they are unpacked.
    installed_bytes: int
    sha256: str
    application_id: str
    version: str
    min_sdk: int
    target_sdk: int
    permissions: tuple[str, ...]
    abis: tuple[str, ...]
    signature_schemes: tuple[str, ...]
    # sha256 of the signer's certificate.
    certificate_sha256: str
    dex_bytes: int
    compressed_libraries: bool
    # Of what lies inside; None or empty when nothing does.
    model_sha256: str | None
    base_sha256: str | None
    adapter_sha256s: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON, with the file's name instead of its place."""
        return asdict(self) | {"path": self.path.name}


def check_apk(apk: Path, expected: ExpectedApk) -> ApkReport:
    """Check a signed APK.

    Raises:
        PocketGemmaError: anything that is not as expected; names all of it.
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
        faults += _told_faults(archive)
        found = read_carried(archive)
        faults += _carried_faults(found, expected.carried)
        faults += place_faults(apk, archive, [each.entry for each in found if each.inside])
        installed = apk.stat().st_size + (unpacked_bytes(archive) if expected.compressed_libraries else 0)
    if faults:
        raise PocketGemmaError(f"{apk}: " + "; ".join(faults))
    inside = {each.role: each.inside for each in found}
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
        model_sha256=inside.get("model"),
        base_sha256=inside.get("base"),
        adapter_sha256s=tuple(each.inside for each in found if each.role == "adapter" and each.inside),
    )


def check_signature(apk: Path, min_sdk: int) -> tuple[tuple[str, ...], str]:
    """Verify the signature; the schemes that hold, and the sha256 of the signer's certificate.

    Raises:
        PocketGemmaError: it does not hold, or apksigner is not installed.
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
    printed = run_tool(command, f"{apk}: its signature does not hold")
    schemes = tuple(re.findall(r"^Verified using (v\d\S*) scheme.*: true$", printed, re.MULTILINE))
    certificate = re.search(r"certificate SHA-256 digest: ([0-9a-f]{64})", printed)
    if not schemes or certificate is None:
        raise PocketGemmaError(f"{apk}: is not signed")
    return schemes, certificate[1]


def read_identity(apk: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the Android manifest says: package, versionCode, versionName, sdkVersion, targetSdkVersion; and the permissions.

    Raises:
        PocketGemmaError: it cannot be read, or aapt2 is not installed.
    """
    badging = run_tool([find_tool("aapt2"), "dump", "badging", apk], f"reading {apk.name}")
    permissions = tuple(re.findall(r"^uses-permission(?:-sdk-23)?: name='([^']*)'", badging, re.MULTILINE))
    return _identity(badging), permissions


def read_application(apk: Path) -> dict[str, str]:
    """The attributes of the Android manifest's <application>, by their names without the namespace, as aapt2 prints their values.

    Raises:
        PocketGemmaError: it cannot be read, or aapt2 is not installed.
    """
    command: list[str | Path] = [find_tool("aapt2"), "dump", "xmltree", "--file", "AndroidManifest.xml", apk]
    tree = run_tool(command, f"reading {apk.name}")
    element = re.search(r"^ *E: application\b.*\n((?: *A: .*\n?)*)", tree, re.MULTILINE)
    found = re.findall(
        rf"^ *A: {re.escape(_ANDROID)}(\w+)(?:\(0x\w+\))?=(.*)$", element[1] if element else "", re.MULTILINE
    )
    return {name: _text(value) for name, value in found}


def _text(value: str) -> str:
    """A value of aapt2's: a string stands in quotation marks, and once more as it was written."""
    text = re.fullmatch(r'"(.*)" \(Raw: ".*"\)', value)
    return text[1] if text else value


def extracts_libraries(application: dict[str, str]) -> bool:
    """Whether a phone unpacks the libraries of such an app when it installs it (what Android does unless told otherwise)."""
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
    # Not only INTERNET: a chat that stays on the phone needs no permission at all.
    if permissions:
        faults.append(f"asks for permissions ({', '.join(permissions)}), expected none")
    return faults


def _application_faults(application: dict[str, str], dex: bytes, expected: ExpectedApk) -> list[str]:
    faults = []
    if extracts_libraries(application) != expected.compressed_libraries:
        said = {True: "unpacked by the phone", False: "mapped from the APK"}
        faults.append(
            f"extractNativeLibs says that libraries are {said[not expected.compressed_libraries]}, "
            f"expected {said[expected.compressed_libraries]}"
        )
    if application.get("debuggable") in _TRUE:
        faults.append("is debuggable, so whoever holds the phone can read its files")
    # Without a word Android backs up everything. An agent of the app's own asks the person first.
    agent = application.get("backupAgent")
    if application.get("allowBackup", "true") in _TRUE and agent is None:
        faults.append(
            "allows backups (allowBackup) without an agent (backupAgent) that asks the person first"
        )
    if agent is not None and f"L{agent.replace('.', '/')};".encode() not in dex:
        faults.append(f"its backup agent {agent} is not in classes.dex")
    return faults


def _told_faults(archive: zipfile.ZipFile) -> list[str]:
    told = read_manifest(archive)
    if not told:
        return []  # That it is missing has been said.
    faults = (
        []
        if told.get("format") == FORMAT
        else [f"{MANIFEST_ENTRY} has format {told.get('format')}, expected {FORMAT}"]
    )
    return faults if told.get("name") else [*faults, f"{MANIFEST_ENTRY} does not tell a name"]


def _carried_faults(found: Sequence[Carried], expected: Sequence[Carried]) -> list[str]:
    """What is inside or told otherwise than expected; adapters are known by their entries, which their digests name."""
    faults = []
    ours, theirs = ({each.entry: each for each in side} for side in (expected, found))
    for entry in dict.fromkeys([*ours, *theirs]):
        wanted, there = ours.get(entry), theirs.get(entry)
        role = (wanted or theirs[entry]).role
        for key, verb in (("inside", "inside has"), ("told", "that the app tells of has")):
            want, have = (getattr(side, key) if side else None for side in (wanted, there))
            if want != have:
                faults.append(
                    f"the {role} {verb} sha256 {have or f'(no {role})'}, expected {want or f'(no {role})'}"
                )
    order = [[each.entry for each in side if each.told] for side in (expected, found)]
    if not faults and order[0] != order[1]:
        faults.append("the app tells of its adapters in another order; the first is its own fine-tune")
    return faults
