import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.targets.android import studio


def test_android_studio_gets_libraries_and_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "liblitert-lm.so"
    library.write_bytes(b"library")
    monkeypatch.setattr(studio, "runtime_library", lambda abi: library)
    (tmp_path / "run" / "bundle").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "run" / "bundle" / "app.apk", "w") as archive:
        archive.writestr("assets/model.litertlm", b"model")
        archive.writestr("assets/adapters/ab.tflite", b"adapter")
        archive.writestr("classes.dex", b"dex")
    (tmp_path / "run" / "bundle" / "base.litertlm").write_bytes(b"base")
    pushed = studio.prepare_studio(tmp_path / "run", tmp_path / "studio")
    assert [path.name for path in pushed] == ["base.litertlm"]
    found = {
        path.relative_to(tmp_path / "studio").as_posix()
        for path in (tmp_path / "studio").rglob("*")
        if path.is_file()
    }
    assert found == {
        "assets/adapters/ab.tflite",
        "assets/model.litertlm",
        "jniLibs/arm64-v8a/liblitert-lm.so",
        "jniLibs/x86_64/liblitert-lm.so",
    }


def test_a_run_without_a_bundle_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the bundle stage has not run yet; run: pocketgemma bundle"):
        studio.prepare_studio(tmp_path)
