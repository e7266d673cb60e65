import zipfile
from pathlib import Path

import pytest

from pipeline.targets import load_target
from pipeline.targets.android.assets import MODEL_ENTRY
from pipeline.targets.android.project import source_digest

TARGET = load_target("android")


def test_another_signer_or_other_sources_make_a_bundle_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POCKETGEMMA_KEYSTORE", raising=False)
    assert TARGET.freshness() == {"app sources": source_digest(), "signing key": "debug"}
    (tmp_path / "own.p12").write_bytes(b"a keystore")
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE", str(tmp_path / "own.p12"))
    monkeypatch.setenv("POCKETGEMMA_KEY_ALIAS", "release")
    monkeypatch.setenv("POCKETGEMMA_KEYSTORE_PASSWORD", "secret")
    assert TARGET.freshness()["signing key"].endswith(" release")


def test_the_files_of_an_app_are_its_apk_and_the_models_next_to_it(tmp_path: Path) -> None:
    files = TARGET.app_files(tmp_path, "science")
    assert (files.app, list(files.models)) == (tmp_path / "science.apk", [])
    for name in ("science.apk", "report.json", "base.litertlm", "model.litertlm"):
        (tmp_path / name).touch()
    assert [path.name for path in TARGET.app_files(tmp_path, "science").models] == [
        "model.litertlm",
        "base.litertlm",
    ]


def test_the_packaged_files_of_a_file_that_is_no_app_are_none(tmp_path: Path) -> None:
    (tmp_path / "model.litertlm").write_bytes(b"LITERTLM")
    assert list(TARGET.packaged_files(tmp_path / "model.litertlm")) == []
    with zipfile.ZipFile(tmp_path / "app.apk", "w") as archive:
        archive.writestr(MODEL_ENTRY, b"model")
    assert [file.entry for file in TARGET.packaged_files(tmp_path / "app.apk")] == [MODEL_ENTRY]
