"""The benchmark of the app counts every byte of an APK once and reads the measurements of the app's tests."""

import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "app.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("app_benchmark", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_byte_of_an_apk_is_in_one_group(benchmark: ModuleType, tmp_path: Path) -> None:
    apk = tmp_path / "app.apk"
    with zipfile.ZipFile(apk, "w") as archive:
        archive.writestr("AndroidManifest.xml", bytes(10))
        archive.writestr("res/a.xml", bytes(20))
        archive.writestr("classes.dex", bytes(1000), zipfile.ZIP_DEFLATED)
        archive.writestr("lib/arm64-v8a/a.so", bytes(300))
        archive.writestr("assets/model.litertlm", bytes(400))
        archive.writestr("assets/adapters/ab.tflite", bytes(50))
        archive.writestr("assets/manifest.json", bytes(5))
        packed = archive.getinfo("classes.dex").compress_size
    found = benchmark.parts(apk)
    assert sum(found.values()) == apk.stat().st_size
    rest = found.pop("other")
    assert found == {"libraries": 300, "code": packed, "resources": 30, "models": 450}
    assert rest > 5


def test_figures_of_the_app_s_tests_are_read(benchmark: ModuleType, tmp_path: Path) -> None:
    figures = {
        "activity_start_ms": [300, 100, 120.5],
        "main_thread_violations": [],
        "main_thread_files_watched": True,
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    assert benchmark.read_figures(tmp_path / "figures.json") == {
        "activity_start_ms": [300.0, 100.0, 120.5],
        "activity_start_ms_median": 120.5,
        "main_thread_violations": [],
        "main_thread_files_watched": True,
    }


@pytest.mark.parametrize("text", ["", "{}", '{"activity_start_ms": [], "main_thread_violations": []}'])
def test_a_file_without_figures_is_refused(benchmark: ModuleType, tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "figures.json").write_text(text)
    with pytest.raises(SystemExit, match="not a figures file of the app's tests"):
        benchmark.read_figures(tmp_path / "figures.json")
