"""Looking into a finished APK: is it signed, does it load, does it ask for no network, and is the right model inside?"""

import hashlib
import re
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.apk.elf import load_alignments
from pipeline.apk.native import PAGE_BYTES, RUNTIME_LIBRARY, SHIM_LIBRARY
from pipeline.apk.package import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.apk.project import AppSettings
from pipeline.apk.tools import find_tool, run_tool
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError

# The signature protects these already; named here so that a build that forgot one is refused.
_NEEDED = ("AndroidManifest.xml", "resources.arsc", "classes.dex", MANIFEST_ENTRY, QUESTIONS_ENTRY)
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class ExpectedApk:
    """What the APK has to be."""

    settings: AppSettings
    abis: Sequence[str]
    # None: the model lies beside the APK.
    model_sha256: str | None


@dataclass(frozen=True)
class ApkReport:
    """What was found in an APK that passed."""

    path: Path
    bytes: int
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
    model_sha256: str | None

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
    faults = _identity_faults(identity, permissions, expected.settings)
    with zipfile.ZipFile(apk) as archive:
        names = set(archive.namelist())
        faults += [f"{name} is missing" for name in _NEEDED if name not in names]
        faults += _library_faults(apk, archive, expected.abis)
        model_sha256 = _digest_of_entry(archive, MODEL_ENTRY) if MODEL_ENTRY in names else None
        dex_bytes = archive.getinfo("classes.dex").file_size if "classes.dex" in names else 0
    if model_sha256 != expected.model_sha256:
        faults.append(
            f"the model inside has sha256 {model_sha256 or '(no model)'}, expected {expected.model_sha256 or '(no model)'}"
        )
    if faults:
        raise PocketGemmaError(f"{apk}: " + "; ".join(faults))
    return ApkReport(
        path=apk,
        bytes=apk.stat().st_size,
        sha256=sha256_of_file(apk),
        application_id=identity["package"],
        version=identity["versionName"],
        min_sdk=int(identity["sdkVersion"]),
        target_sdk=int(identity["targetSdkVersion"]),
        permissions=permissions,
        abis=abis_of(names),
        signature_schemes=schemes,
        certificate_sha256=certificate,
        dex_bytes=dex_bytes,
        model_sha256=model_sha256,
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


def abis_of(names: set[str]) -> tuple[str, ...]:
    """The ABIs that an APK has libraries for, by its entries' names."""
    return tuple(
        sorted({name.split("/")[1] for name in names if name.startswith("lib/") and name.endswith(".so")})
    )


def _library_faults(apk: Path, archive: zipfile.ZipFile, abis: Sequence[str]) -> list[str]:
    names = set(archive.namelist())
    faults = []
    if abis_of(names) != tuple(sorted(abis)):
        faults.append(
            f"holds libraries for {', '.join(abis_of(names)) or 'no ABI'}, expected {', '.join(sorted(abis))}"
        )
    faults += [
        f"lib/{abi}/{name} is missing"
        for abi in abis
        for name in (RUNTIME_LIBRARY, SHIM_LIBRARY)
        if f"lib/{abi}/{name}" not in names
    ]
    with apk.open("rb") as file:
        for entry in archive.infolist():
            if not entry.filename.endswith(".so"):
                continue
            if entry.compress_type != zipfile.ZIP_STORED:
                faults.append(f"{entry.filename} is compressed, so the phone cannot map it")
                continue
            file.seek(entry.header_offset + 26)
            name_length, extra_length = struct.unpack("<HH", file.read(4))
            start = entry.header_offset + 30 + name_length + extra_length
            if start % PAGE_BYTES:
                faults.append(f"{entry.filename} lies at {start}, not at a multiple of {PAGE_BYTES}")
            try:
                alignments = load_alignments(file, start)
            except PocketGemmaError as error:
                faults.append(f"{entry.filename}: {error}")
                continue
            faults += [
                f"{entry.filename} has a segment aligned to {size}, less than {PAGE_BYTES}"
                for size in alignments
                if size % PAGE_BYTES
            ]
    return faults


def _digest_of_entry(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
