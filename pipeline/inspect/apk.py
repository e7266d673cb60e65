"""The report on an APK: the app, its libraries, the models and adapters inside, and what the app records
about them."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError, PocketGemmaError
from pipeline.foreign import parse_json
from pipeline.formats.aligned_zip import entry_offset
from pipeline.formats.litertlm import map_file
from pipeline.formats.runtime_adapter import is_runtime_adapter
from pipeline.formats.tflite import IDENTIFIER, read_tflite
from pipeline.inspect.adapter import report_runtime
from pipeline.inspect.facts import App, Library, Report
from pipeline.inspect.litertlm import report_litertlm
from pipeline.targets.android.assets import BASE_ENTRY, MANIFEST_ENTRY, MODEL_ENTRY, QUESTIONS_ENTRY
from pipeline.targets.android.check import (
    check_signature,
    extracts_libraries,
    read_application,
    read_identity,
)
from pipeline.targets.android.contents import read_packaged_files
from pipeline.targets.android.elf import load_alignments
from pipeline.targets.android.native import PAGE_BYTES
from pipeline.targets.android.native_check import abis_of, unpacked_bytes
from pipeline.targets.android.tools import find_tool
from pipeline.targets.target import PackagedFile

ANDROID_MANIFEST = "AndroidManifest.xml"
OLDEST_SDK = 24
"""The minSdkVersion of the app that this package builds: used to verify the signature of an APK that declares
none."""


def report_apk(path: Path) -> Report:
    """All about an APK. Without aapt2 and apksigner, what only they can read is None, and a note says so.

    Raises:
        InputError: the model inside is damaged.
    """
    notes: list[str] = []
    identity: dict[str, str] = {}
    permissions: tuple[str, ...] | None = None
    schemes: tuple[str, ...] | None = None
    certificate = None
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
    application: dict[str, str] | None = None
    with suppress(PocketGemmaError):  # A note already says that aapt2 is missing.
        application = read_application(path)
    extracts = None if application is None else extracts_libraries(application)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        libraries = tuple(
            _library(path, archive, entry, extracted=bool(extracts))
            for entry in archive.infolist()
            if entry.filename.endswith(".so")
        )
        installed = None
        if extracts is not None:
            installed = path.stat().st_size + (unpacked_bytes(archive) if extracts else 0)
        manifest = _json(archive, MANIFEST_ENTRY, notes)
        questions = _json(archive, QUESTIONS_ENTRY, notes)
        dex_bytes = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(".dex"))
        carried = read_packaged_files(archive)
        inside, base = (_model(path, archive, name, notes) for name in (MODEL_ENTRY, BASE_ENTRY))
        entries = [each.entry for each in carried if each.role == "adapter" and each.actual_sha256]
        adapters = tuple(_adapter(archive, entry) for entry in entries)
        if manifest and MODEL_ENTRY not in names:
            notes.append("no model inside: it is a separate file that is pushed to the phone")
    notes += _disagreements(carried, inside, adapters)
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
        extracts_libraries=extracts,
        installed_bytes=installed,
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
        base=base,
        adapters=adapters,
        notes=tuple(notes),
    )


def _model(path: Path, archive: zipfile.ZipFile, name: str, notes: list[str]) -> Report | None:
    """The report on a model inside an APK; None when it is missing, or compressed."""
    if name not in archive.namelist():
        return None
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        notes.append(f"{name} is compressed, so the phone cannot map it: not inspected")
        return None
    begin = entry_offset(path, entry)
    return report_litertlm(path, (begin, begin + entry.file_size), name)


def _adapter(archive: zipfile.ZipFile, entry: str) -> Report:
    """The report on an adapter inside an APK. It is small: a copy is read."""
    where = f"{archive.filename}, its {entry}"
    with tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder:
        copy = Path(folder) / Path(entry).name
        copy.write_bytes(archive.read(entry))
        data = map_file(copy)
        if data[4:8] != IDENTIFIER or not is_runtime_adapter(tflite := read_tflite(data, where)):
            raise InputError(f"{where}: not a run-time adapter; build the app again")
        try:
            return replace(report_runtime(copy, tflite), name=entry)
        except InputError as error:
            raise InputError(str(error).replace(str(copy), where)) from None


def _disagreements(
    carried: Sequence[PackagedFile], inside: Report | None, adapters: Sequence[Report]
) -> list[str]:
    """Differences between what the app records and what it contains, a sentence each."""
    notes = []
    for each in carried:
        if each.declared_sha256 and each.actual_sha256 and each.declared_sha256 != each.actual_sha256:
            notes.append(
                f"the app records a different {each.role} (sha256 {each.declared_sha256}) from the one inside"
            )
        elif each.actual_sha256 and not each.declared_sha256:
            notes.append(f"the app does not record {each.entry}")
        elif each.role == "adapter" and not each.actual_sha256:
            notes.append(f"the app records an adapter that is not inside: sha256 {each.declared_sha256}")
    system = inside.system if inside else {}
    for adapter in adapters:
        found = adapter.adapter
        if (
            inside
            and found
            and (str(found.rank), found.base) != (system.get("lora_rank"), system.get("base_digest"))
        ):
            notes.append(f"{adapter.name} does not belong to the model inside: its base or rank differs")
    return notes


def _library(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, extracted: bool) -> Library:
    stored = entry.compress_type == zipfile.ZIP_STORED
    if not stored and not extracted:
        return Library(entry.filename, entry.file_size, None, None, pages_16k=False)
    begin = entry_offset(path, entry) if stored else None
    try:
        with path.open("rb") if stored else io.BytesIO(archive.read(entry)) as file:
            alignment = min(load_alignments(file, begin or 0))
    except PocketGemmaError:
        return Library(entry.filename, entry.file_size, begin, None, pages_16k=False)
    fits = (extracted or (begin or 0) % PAGE_BYTES == 0) and alignment % PAGE_BYTES == 0
    return Library(entry.filename, entry.file_size, begin, alignment, pages_16k=fits)


def _json(archive: zipfile.ZipFile, name: str, notes: list[str]) -> Any:
    try:
        return parse_json(archive.read(name))
    except KeyError:
        notes.append(f"{name} is missing: not a PocketGemma app")
    except ValueError:
        notes.append(f"{name} is not JSON")
    return None


def _first_line(path: Path, error: PocketGemmaError) -> str:
    return str(error).splitlines()[0].rstrip(":").removeprefix(f"{path}: ")
