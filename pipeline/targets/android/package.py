"""Package an APK: a zip in which models, and native libraries unless they are compressed, start at memory
page boundaries."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.formats.aligned_zip import add_bytes, add_file
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    QUESTIONS_ENTRY,
    adapter_entry,
)
from pipeline.targets.android.build import AppBuild
from pipeline.targets.android.native import PAGE_BYTES


@dataclass(frozen=True)
class Assets:
    """The files that turn the app into the app of a certain model.

    Attributes:
        manifest: the document that describes the models; see `pipeline.targets.android.manifest`.
        questions: sample questions for the empty chat.
        model: the .litertlm that answers; None if it is pushed to the phone.
        base: the base of a merged model; None if the app has none, or if it is pushed to the phone.
        adapters: adapter files by sha256.
    """

    manifest: Mapping[str, Any]
    questions: Sequence[str] = ()
    model: Path | None = None
    base: Path | None = None
    adapters: Mapping[str, Path] = field(default_factory=dict)


def package_apk(app: AppBuild, assets: Assets, target: Path) -> None:
    """Write an unsigned APK. Equal arguments give equal bytes.

    Args:
        app: the app without a model; it also specifies whether native libraries are compressed.
        assets: what to add to it.
        target: the file to write.
    """
    with zipfile.ZipFile(target, "w", allowZip64=False) as apk:
        with zipfile.ZipFile(app.resources) as resources:
            for entry in sorted(
                resources.infolist(),
                key=lambda entry: (entry.filename != "AndroidManifest.xml", entry.filename),
            ):
                # Android 11 and newer require an uncompressed resource table.
                stored = entry.filename == "resources.arsc" or entry.compress_type == zipfile.ZIP_STORED
                add_bytes(apk, entry.filename, resources.read(entry), compressed=not stored)
        add_file(apk, "classes.dex", app.dex, compressed=True)
        for name, content in sorted(app.library_resources.items()):
            add_bytes(apk, name, content, compressed=True)
        add_bytes(apk, MANIFEST_ENTRY, _json(assets.manifest), compressed=True)
        add_bytes(apk, QUESTIONS_ENTRY, _json(list(assets.questions)), compressed=True)
        for abi, libraries in sorted(app.libraries.items()):
            for library in libraries:
                name = f"lib/{abi}/{library.name}"
                add_file(apk, name, library, compressed=app.compressed_libraries, alignment=PAGE_BYTES)
        models = [(MODEL_ENTRY, assets.model), (BASE_ENTRY, assets.base)]
        models += [(adapter_entry(digest), path) for digest, path in sorted(assets.adapters.items())]
        for name, model in models:
            if model is not None:
                add_file(apk, name, model, alignment=PAGE_BYTES)


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False).encode()
