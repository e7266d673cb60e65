"""Putting an APK together: a zip whose models, and libraries unless told otherwise, lie uncompressed at the boundaries of memory pages."""

import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.build import AppBuild
from pipeline.targets.android.native import PAGE_BYTES

# Android asks for stored entries to lie at multiples of 4 bytes, and libraries at multiples of the page size.
_WORD_BYTES = 4
# The extra field by which Android's own tools align an entry (apksig, ApkSigner.java: ALIGNMENT_ZIP_EXTRA_DATA_FIELD).
_ALIGNMENT_FIELD = 0xD935
_LOCAL_HEADER_BYTES = 30
_ALIGNMENT_HEADER_BYTES = 6
# One stamp for all, so that the same content gives the same bytes. The earliest that a zip can hold.
_STAMP = (1980, 1, 1, 0, 0, 0)
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Assets:
    """What an app is filled with.

    Attributes:
        manifest: what the app tells about its models; see `pipeline.targets.android.manifest`.
        questions: sample questions for the empty chat.
        model: the .litertlm that answers; None when it is pushed to the phone beside the APK.
        base: the base of a merged model, for before / after; None when there is none, or it is pushed too.
        adapters: adapter files by their sha256.
    """

    manifest: Mapping[str, Any]
    questions: Sequence[str] = ()
    model: Path | None = None
    base: Path | None = None
    adapters: Mapping[str, Path] = field(default_factory=dict)


def package_apk(app: AppBuild, assets: Assets, target: Path) -> None:
    """Write an unsigned APK. The same arguments give the same bytes.

    Args:
        app: the app without a model; it also says whether its libraries are to be compressed.
        assets: what it is filled with.
        target: the file to write.
    """
    with zipfile.ZipFile(target, "w", allowZip64=False) as apk:
        with zipfile.ZipFile(app.resources) as resources:
            for entry in sorted(
                resources.infolist(),
                key=lambda entry: (entry.filename != "AndroidManifest.xml", entry.filename),
            ):
                # Android 11 and newer demand the resource table stored.
                stored = entry.filename == "resources.arsc" or entry.compress_type == zipfile.ZIP_STORED
                _add(apk, entry.filename, resources.read(entry), stored=stored)
        _add(apk, "classes.dex", app.dex, stored=False)
        for name, content in sorted(app.library_resources.items()):
            _add(apk, name, content, stored=False)
        _add(apk, MANIFEST_ENTRY, _json(assets.manifest), stored=False)
        _add(apk, QUESTIONS_ENTRY, _json(list(assets.questions)), stored=False)
        for abi, libraries in sorted(app.libraries.items()):
            for library in libraries:
                name = f"lib/{abi}/{library.name}"
                _add(apk, name, library, stored=not app.compressed_libraries, alignment=PAGE_BYTES)
        models = [(MODEL_ENTRY, assets.model), (BASE_ENTRY, assets.base)]
        models += [(adapter_entry(digest), path) for digest, path in sorted(assets.adapters.items())]
        for name, model in models:
            if model is not None:
                _add(apk, name, model, stored=True, alignment=PAGE_BYTES)


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _add(
    apk: zipfile.ZipFile, name: str, content: bytes | Path, *, stored: bool, alignment: int = _WORD_BYTES
) -> None:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.create_system = 0
    entry.external_attr = 0
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.file_size = content.stat().st_size if isinstance(content, Path) else len(content)
    if stored:
        start = apk.start_dir + _LOCAL_HEADER_BYTES + len(name.encode()) + _ALIGNMENT_HEADER_BYTES
        padding = -start % alignment
        entry.extra = struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + padding, alignment) + bytes(padding)
    with apk.open(entry, "w") as out:
        if isinstance(content, bytes):
            out.write(content)
            return
        with content.open("rb") as source:
            while block := source.read(_COPY_BYTES):
                out.write(block)
