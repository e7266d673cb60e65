import os
from pathlib import Path

import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.targets.android import sign
from pipeline.targets.android.keystore import KEY_ALIAS, KEY_PASSWORD, KEYSTORE, KEYSTORE_PASSWORD
from pipeline.targets.android.sign import check_signing_key, signer_digest, signing_key
from pipeline.targets.android.sign import sign as sign_apk
from pipeline.targets.android.tools import find_tool

SECRET = "correct horse battery staple"

RECORDER = """#!/bin/sh
# Stands in for apksigner: records its arguments and environment.
printf '%s\\n' "$@" > "$RECORDED.arguments"
env > "$RECORDED.environment"
if [ -n "$REFUSE" ]; then
    echo 'java.io.IOException: keystore password was incorrect' >&2
    exit 2
fi
"""


@pytest.fixture
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    keystore = tmp_path / "mine.p12"
    keystore.write_bytes(b"a keystore")
    monkeypatch.setenv(KEYSTORE, str(keystore))
    monkeypatch.setenv(KEYSTORE_PASSWORD, SECRET)
    monkeypatch.setenv(KEY_ALIAS, "release")
    monkeypatch.delenv(KEY_PASSWORD, raising=False)
    return keystore


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace apksigner by a recorder; returns the path that its records start with."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apksigner").write_text(RECORDER)
    (programs / "apksigner").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECORDED", str(tmp_path / "recorded"))
    find_tool.cache_clear()
    monkeypatch.setattr(sign, "find_tool", lambda name: programs / name)
    return tmp_path / "recorded"


def test_the_password_is_passed_only_in_the_environment(
    own_key: Path, recorded: Path, tmp_path: Path
) -> None:
    key = sign_apk(tmp_path / "in.apk", tmp_path / "out.apk")
    arguments = Path(f"{recorded}.arguments").read_text()
    assert SECRET not in arguments
    assert f"env:{KEYSTORE_PASSWORD}" in arguments
    assert f"env:{KEY_PASSWORD}" in arguments
    assert f"{KEY_PASSWORD}={SECRET}\n" in Path(f"{recorded}.environment").read_text()
    assert SECRET not in repr(key)


def test_a_refused_password_is_not_in_the_message(
    own_key: Path, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "1")
    with pytest.raises(
        PocketGemmaError, match="signing out.apk: apksigner failed:\n  .*password was incorrect"
    ) as caught:
        sign_apk(tmp_path / "in.apk", tmp_path / "out.apk")
    assert SECRET not in str(caught.value)


def test_a_separate_key_password_is_used(own_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_PASSWORD, "another")
    assert signing_key().secrets == {KEYSTORE_PASSWORD: SECRET, KEY_PASSWORD: "another"}


def test_your_key_is_checked_and_the_debug_key_is_not(own_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="POCKETGEMMA_KEYSTORE: mine.p12 is not a keystore"):
        check_signing_key()
    monkeypatch.delenv(KEYSTORE)
    check_signing_key()


def test_a_missing_keystore_is_bad_input(own_key: Path) -> None:
    own_key.unlink()
    with pytest.raises(InputError, match="POCKETGEMMA_KEYSTORE: no such file"):
        signing_key()


def test_missing_variables_are_all_named(own_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEYSTORE_PASSWORD)
    monkeypatch.delenv(KEY_ALIAS)
    with pytest.raises(InputError, match="also set POCKETGEMMA_KEYSTORE_PASSWORD and POCKETGEMMA_KEY_ALIAS"):
        signing_key()


def test_signers_are_distinguished_without_a_secret(own_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = signer_digest()
    assert SECRET not in mine
    monkeypatch.setenv(KEYSTORE_PASSWORD, "changed")
    assert signer_digest() == mine
    own_key.write_bytes(b"another keystore")
    assert signer_digest() != mine
    monkeypatch.delenv(KEYSTORE)
    assert signer_digest() == "debug"
