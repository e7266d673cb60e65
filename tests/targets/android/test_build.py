import re

import pytest

from pipeline.errors import InputError
from pipeline.targets.android.build import build_app
from pipeline.targets.android.project import MAIN, NAMESPACE


def test_an_unknown_abi_is_bad_input() -> None:
    with pytest.raises(InputError, match="unknown ABI mips; expected arm64-v8a or x86_64"):
        build_app(["arm64-v8a", "mips"], "PocketGemma")


@pytest.mark.slow
def test_shrinking_keeps_what_android_and_the_shim_call_by_name() -> None:
    dex = build_app(["arm64-v8a"], "PocketGemma").dex.read_bytes()
    assert dex.startswith(b"dex\n")
    # Classes that Android finds by name: those in the manifest, and our own views in layouts.
    manifest = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
    named = {
        NAMESPACE + name if name.startswith(".") else name
        for name in re.findall(r'android:(?:name|backupAgent)="((?:\.|io\.)[\w.]+)"', manifest)
    }
    layouts = "".join(path.read_text(encoding="utf-8") for path in (MAIN / "res").rglob("layout*/*.xml"))
    named |= set(re.findall(rf"<({re.escape(NAMESPACE)}[\w.]+)", layouts))
    assert {f"{NAMESPACE}.ChatApplication", f"{NAMESPACE}.MainActivity"} < named
    for name in named:
        assert f"L{name.replace('.', '/')};".encode() in dex, name
    # And methods that the shim finds by name, or that call it. R8 removes functions that are never called.
    for method in (
        b"onChunk",
        b"nativeCreateEngine",
        b"nativeCreateConversation",
        b"nativeSend",
        b"nativeMeasured",
    ):
        assert b"\0" + bytes([len(method)]) + method + b"\0" in dex, method


@pytest.mark.slow
def test_another_title_does_not_build_the_code_again() -> None:
    assert build_app(["arm64-v8a"], "One").dex == build_app(["arm64-v8a"], "Two").dex
