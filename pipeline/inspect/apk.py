"""What an APK tells: the app, its libraries, and the model inside with what the app says of it."""

import json
import zipfile
from pathlib import Path
from typing import Any

from pipeline.apk.check import abis_of, check_signature, read_identity
from pipeline.apk.elf import load_alignments
from pipeline.apk.native import PAGE_BYTES
from pipeline.apk.package import MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.apk.tools import find_tool
from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.inspect.bundle import entry_begin, report_litertlm
from pipeline.inspect.facts import App, Library, Report
from pipeline.litert.container import map_file

ANDROID_MANIFEST = "AndroidManifest.xml"
OLDEST_SDK = 24
"""Of the app that this package builds; taken to verify the signature of an APK that names none."""


def report_apk(path: Path) -> Report:
    """All about an APK; what only aapt2 or apksigner can tell is left open where they are not installed.

    Raises:
        InputError: the model inside is damaged.
    """
    notes: list[str] = []
    identity: dict[str, str] = {}
    permissions: tuple[str, ...] | None = None
    schemes: tuple[str, ...] | None = None
    certificate = inside = None
    try:
        identity, permissions = read_identity(path)
    except PocketGemmaError as error:
        notes.append(_first_line(path, error))
    try:
        find_tool("apksigner")
        schemes = ()
        schemes, certificate = check_signature(path, int(identity.get("sdkVersion", OLDEST_SDK)))
    except PocketGemmaError as error:
        notes.append(_first_line(path, error))
    mapped = map_file(path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        libraries = tuple(
            _library(path, mapped, entry) for entry in archive.infolist() if entry.filename.endswith(".so")
        )
        manifest = _json(archive, MANIFEST_ENTRY, notes)
        questions = _json(archive, QUESTIONS_ENTRY, notes)
        dex_bytes = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(".dex"))
        if MODEL_ENTRY in names:
            entry = archive.getinfo(MODEL_ENTRY)
            if entry.compress_type == zipfile.ZIP_STORED:
                begin = entry_begin(path, mapped, entry)
                inside = report_litertlm(path, (begin, begin + entry.file_size), MODEL_ENTRY)
            else:
                notes.append(f"{MODEL_ENTRY} is compressed, so the phone cannot map it: not looked into")
        elif manifest:
            notes.append("no model inside: it lies beside the APK and is pushed to the phone")
    told = manifest.get("model") if isinstance(manifest, dict) else None
    if inside and isinstance(told, dict) and told.get("sha256") != inside.sha256:
        notes.append(f"the app tells of another model (sha256 {told.get('sha256')}) than the one inside")
    app = App(
        package=identity.get("package"),
        version=identity.get("versionName"),
        version_code=identity.get("versionCode"),
        min_sdk=identity.get("sdkVersion"),
        target_sdk=identity.get("targetSdkVersion"),
        permissions=permissions,
        abis=abis_of(names),
        signature_schemes=schemes,
        certificate_sha256=certificate,
        dex_bytes=dex_bytes,
        libraries=libraries,
        manifest=manifest if isinstance(manifest, dict) else None,
        sample_questions=tuple(map(str, questions)) if isinstance(questions, list) else (),
    )
    return Report(
        "apk",
        path.name,
        path.stat().st_size,
        sha256_of_file(path),
        app=app,
        inside=inside,
        notes=tuple(notes),
    )


def _library(path: Path, mapped: memoryview, entry: zipfile.ZipInfo) -> Library:
    if entry.compress_type != zipfile.ZIP_STORED:
        return Library(entry.filename, entry.file_size, None, None, pages_16k=False)
    begin = entry_begin(path, mapped, entry)
    try:
        with path.open("rb") as file:
            alignment = min(load_alignments(file, begin))
    except PocketGemmaError:
        return Library(entry.filename, entry.file_size, begin, None, pages_16k=False)
    fits = begin % PAGE_BYTES == 0 and alignment % PAGE_BYTES == 0
    return Library(entry.filename, entry.file_size, begin, alignment, pages_16k=fits)


def _json(archive: zipfile.ZipFile, name: str, notes: list[str]) -> Any:
    try:
        return json.loads(archive.read(name))
    except KeyError:
        notes.append(f"no {name} in it: not an app of this package")
    except ValueError:
        notes.append(f"{name} is no JSON")
    return None


def _first_line(path: Path, error: PocketGemmaError) -> str:
    return str(error).splitlines()[0].rstrip(":").removeprefix(f"{path}: ")
