import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.targets.android.assets import BASE_ENTRY, MANIFEST_ENTRY, MODEL_ENTRY, adapter_entry
from pipeline.targets.android.contents import read_app_manifest, read_packaged_files
from pipeline.targets.target import PackagedFile

MODEL, BASE, POET, CLERK = (
    hashlib.sha256(name).hexdigest() for name in (b"model", b"base", b"poet", b"clerk")
)


def write_apk(path: Path, manifest: object, **files: bytes) -> zipfile.ZipFile:
    """An APK that is one only in its models, adapters and manifest."""
    entries = {
        "model": MODEL_ENTRY,
        "base": BASE_ENTRY,
        "poet": adapter_entry(POET),
        "clerk": adapter_entry(CLERK),
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST_ENTRY, manifest if isinstance(manifest, bytes) else json.dumps(manifest))
        for name, content in files.items():
            archive.writestr(entries[name], content)
    return zipfile.ZipFile(path)


def declare(*adapters: str, **models: str) -> dict[str, Any]:
    return {"adapters": [{"sha256": each} for each in adapters]} | {
        key: {"sha256": digest} for key, digest in models.items()
    }


def test_files_are_listed_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    manifest = declare(POET, CLERK, model=MODEL, base_model=BASE)
    files = {"clerk": b"clerk", "poet": b"poet", "base": b"base", "model": b"model"}
    with write_apk(tmp_path / "a.apk", manifest, **files) as archive:
        assert read_packaged_files(archive) == [
            PackagedFile("model", MODEL_ENTRY, MODEL, MODEL),
            PackagedFile("base", BASE_ENTRY, BASE, BASE),
            PackagedFile("adapter", adapter_entry(POET), POET, POET),
            PackagedFile("adapter", adapter_entry(CLERK), CLERK, CLERK),
        ]


def test_a_file_that_is_only_declared_or_only_contained_is_listed(tmp_path: Path) -> None:
    with write_apk(tmp_path / "a.apk", declare(POET, model=MODEL), base=b"base", clerk=b"other") as archive:
        assert read_packaged_files(archive) == [
            PackagedFile("model", MODEL_ENTRY, MODEL, None),
            PackagedFile("base", BASE_ENTRY, None, BASE),
            PackagedFile("adapter", adapter_entry(POET), POET, None),
            PackagedFile("adapter", adapter_entry(CLERK), None, hashlib.sha256(b"other").hexdigest()),
        ]


@pytest.mark.parametrize(
    "manifest",
    [b"no JSON", b"[1]", {"model": 1, "base_model": {"sha256": 2}, "adapters": {}}, {"adapters": [1, {}]}],
)
def test_a_manifest_of_another_kind_declares_nothing(tmp_path: Path, manifest: object) -> None:
    with write_apk(tmp_path / "a.apk", manifest, model=b"model") as archive:
        assert read_packaged_files(archive) == [PackagedFile("model", MODEL_ENTRY, None, MODEL)]


def test_a_missing_manifest_is_empty(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        assert read_app_manifest(archive) == {}
