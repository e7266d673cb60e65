"""The models and adapters of an app: what its manifest declares, and what the APK contains."""

import zipfile
from typing import Any

from pipeline.digests import sha256_of_stream
from pipeline.foreign import parse_json
from pipeline.formats.zip_bounds import check_sizes
from pipeline.targets.android.assets import (
    ADAPTERS_FOLDER,
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    adapter_entry,
)
from pipeline.targets.target import PackagedFile, Role


def read_packaged_files(archive: zipfile.ZipFile) -> list[PackagedFile]:
    """List the models and adapters that an APK declares or contains, and hash what it contains.

    Returns:
        The model, its base, the adapters in the order of the manifest, then the adapters that the manifest
        does not list.

    Raises:
        InputError: it would unpack to far more than an app does.
    """
    check_sizes(archive)
    names = set(archive.namelist())
    manifest = read_app_manifest(archive)
    listed = manifest.get("adapters")
    adapters = [digest for each in listed if (digest := _digest(each))] if isinstance(listed, list) else []
    declared: list[tuple[Role, str, str | None]] = [
        ("model", MODEL_ENTRY, _digest(manifest.get("model"))),
        ("base", BASE_ENTRY, _digest(manifest.get("base_model"))),
        *(("adapter", adapter_entry(digest), digest) for digest in adapters),
    ]
    known = {entry for _, entry, _ in declared}
    unlisted = sorted(name for name in names - known if name.startswith(ADAPTERS_FOLDER))
    declared += [("adapter", name, None) for name in unlisted]
    files = [
        PackagedFile(role, entry, digest, _hash(archive, entry) if entry in names else None)
        for role, entry, digest in declared
    ]
    return [file for file in files if file.declared_sha256 or file.actual_sha256]


def read_app_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """assets/manifest.json; empty if it is missing or not a JSON object."""
    try:
        document = parse_json(archive.read(MANIFEST_ENTRY))
    except (KeyError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _digest(facts: Any) -> str | None:
    digest = facts.get("sha256") if isinstance(facts, dict) else None
    return digest if isinstance(digest, str) else None


def _hash(archive: zipfile.ZipFile, entry: str) -> str:
    with archive.open(entry) as file:
        return sha256_of_stream(file)
