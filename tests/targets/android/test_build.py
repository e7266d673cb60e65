"""What comes out of the build, looked at from outside."""

import re
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.targets.android import studio
from pipeline.targets.android.build import build_app
from pipeline.targets.android.elf import load_alignments
from pipeline.targets.android.native import PAGE_BYTES, TARGETS, shim_library
from pipeline.targets.android.project import MAIN, NAMESPACE
from pipeline.targets.android.resources import build_resources
from pipeline.targets.android.tools import find_tool, run_tool


def test_an_unknown_abi_is_bad_input() -> None:
    with pytest.raises(InputError, match="unknown ABI mips; known: arm64-v8a, x86_64"):
        build_app(["arm64-v8a", "mips"], "PocketGemma")


@pytest.mark.slow
def test_shrinking_keeps_what_android_and_the_shim_call_by_name() -> None:
    dex = build_app(["arm64-v8a"], "PocketGemma").dex.read_bytes()
    assert dex.startswith(b"dex\n")
    # What Android makes by name: what the manifest names, and views of our own in layouts.
    manifest = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
    named = {
        NAMESPACE + name if name.startswith(".") else name
        for name in re.findall(r'android:(?:name|backupAgent)="((?:\.|io\.)[\w.]+)"', manifest)
    }
    layouts = "".join(path.read_text(encoding="utf-8") for path in (MAIN / "res").rglob("layout*/*.xml"))
    named |= set(re.findall(rf"<({re.escape(NAMESPACE)}[\w.]+)", layouts))
    assert {f"{NAMESPACE}.ChatApplication", f"{NAMESPACE}.ui.MainActivity"} < named
    for name in named:
        assert f"L{name.replace('.', '/')};".encode() in dex, name
    # And what the shim finds by name, or is found by; of functions that nobody calls nothing is left.
    for method in (
        b"onChunk",
        b"nativeCreateEngine",
        b"nativeCreateConversation",
        b"nativeSend",
        b"nativeMeasured",
    ):
        assert b"\0" + bytes([len(method)]) + method + b"\0" in dex, method


@pytest.mark.slow
@pytest.mark.parametrize("title", ["Pocket 'Science' & \"Co\"", "@home", "Ünïcode 😀", "50 % <b>"])
def test_any_title_becomes_the_app_s_label(title: str) -> None:
    apk = build_resources(title).apk
    badging = run_tool([find_tool("aapt2"), "dump", "badging", apk], "reading the label")
    label = next(line for line in badging.splitlines() if line.startswith("application-label:"))
    # aapt2 prints a quotation mark with a backslash before it.
    assert label.replace('\\"', '"') == f"application-label:'{title}'"


@pytest.mark.slow
def test_another_title_needs_no_new_code() -> None:
    assert build_app(["arm64-v8a"], "One").dex == build_app(["arm64-v8a"], "Two").dex


@pytest.mark.slow
@pytest.mark.parametrize("abi", TARGETS)
def test_the_shim_loads_on_phones_with_large_pages(abi: str) -> None:
    with shim_library(abi).open("rb") as file:
        assert all(alignment == PAGE_BYTES for alignment in load_alignments(file))


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
    beside = studio.stage_for_studio(tmp_path / "run", tmp_path / "studio")
    assert [path.name for path in beside] == ["base.litertlm"]
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


def test_android_studio_without_a_bundle_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle here yet; run: pocketgemma bundle"):
        studio.stage_for_studio(tmp_path)
