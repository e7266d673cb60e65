"""The models and adapters of an app: what its manifest tells of them, and what lies in the APK."""

import json
import zipfile
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.digests import sha256_of_stream
from pipeline.targets.android.assets import (
    ADAPTERS_FOLDER,
    BASE_ENTRY,
    MANIFEST_ENTRY,
    MODEL_ENTRY,
    adapter_entry,
)

Role = Literal["model", "base", "adapter"]


@dataclass(frozen=True)
class Carried:
    """A model or an adapter of an app.

    Attributes:
        role: the model that answers, its base, or an adapter.
        entry: its name in the APK.
        told: sha256 that the app's manifest tells; None when it tells of none.
        inside: sha256 of what lies in the APK; None when nothing does.
    """

    role: Role
    entry: str
    told: str | None
    inside: str | None


def read_carried(archive: zipfile.ZipFile) -> list[Carried]:
    """What an APK tells of models and adapters and what it holds of them, every byte hashed: the model, its base, adapters in the
    order of the manifest, and at the end those that the manifest does not tell of. One that is neither told nor inside is left out.
    """
    names = set(archive.namelist())
    manifest = read_manifest(archive)
    places: list[tuple[Role, str, str | None]] = [
        ("model", MODEL_ENTRY, _digest(manifest.get("model"))),
        ("base", BASE_ENTRY, _digest(manifest.get("base_model"))),
    ]
    listed = manifest.get("adapters")
    told = [digest for entry in listed if (digest := _digest(entry))] if isinstance(listed, list) else []
    places += [("adapter", adapter_entry(digest), digest) for digest in told]
    known = {entry for _, entry, _ in places}
    untold = sorted(name for name in names - known if name.startswith(ADAPTERS_FOLDER))
    places += [("adapter", name, None) for name in untold]
    found = [
        Carried(role, entry, digest, _hash(archive, entry) if entry in names else None)
        for role, entry, digest in places
    ]
    return [each for each in found if each.told or each.inside]


def read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """assets/manifest.json; nothing when there is none or it is no JSON object."""
    try:
        document = json.loads(archive.read(MANIFEST_ENTRY))
    except (KeyError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _digest(told: Any) -> str | None:
    digest = told.get("sha256") if isinstance(told, dict) else None
    return digest if isinstance(digest, str) else None


def _hash(archive: zipfile.ZipFile, entry: str) -> str:
    with archive.open(entry) as file:
        return sha256_of_stream(file)
