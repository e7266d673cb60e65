"""A script called adb on the path plays the phone; each test sets how it behaves."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android.adb import find_device, install, push_model, start
from pipeline.targets.target import Device

APP = "io.pocketgemma.chat"
PHONE = Device("R5CT", "Pixel 9")
DEVICES = "List of devices attached\n"

Adb = Callable[[str], Path]


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adb:
    """Make `adb` run a shell script; the returned file records the arguments of every call."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    log.touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)

    def make(body: str) -> Path:
        script = folder / "adb"
        script.write_text(f'#!/bin/sh\necho "$*" >> {log}\n{body}\n')
        script.chmod(0o755)
        return log

    return make


def listing(*lines: str) -> str:
    return "cat <<'END'\n" + DEVICES + "".join(f"{line}\n" for line in lines) + "\nEND"


def test_without_adb_there_is_no_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_device() is None


def test_without_a_device_there_is_no_phone(adb: Adb) -> None:
    adb(
        "echo '* daemon not running; starting now at tcp:5037'\necho '* daemon started successfully'\n"
        + listing()
    )
    assert find_device() is None


def test_a_connected_phone_is_found(adb: Adb) -> None:
    adb(listing("R5CT           device usb:1-1 product:tokay model:Pixel_9 device:tokay transport_id:1"))
    assert find_device() == PHONE


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (
            "R5CT  unauthorized usb:1-1 transport_id:1",
            "R5CT does not trust this computer yet; .* allow USB debugging",
        ),
        ("R5CT  offline transport_id:1", "is offline; unplug it"),
        ("R5CT  no permissions (missing udev rules?); see [http://x]", "cannot be accessed by your user"),
        ("R5CT  recovery", "is in state 'recovery'"),
    ],
)
def test_a_phone_that_is_not_usable_is_reported_with_advice(adb: Adb, line: str, advice: str) -> None:
    adb(listing(line))
    with pytest.raises(PocketGemmaError, match=advice):
        find_device()


def test_the_environment_selects_one_of_several(adb: Adb, monkeypatch: pytest.MonkeyPatch) -> None:
    adb(listing("A1 device model:One", "B2 device model:Two", "C3 unauthorized"))
    with pytest.raises(
        PocketGemmaError,
        match=r"several devices are connected: A1 \(One\), B2 \(Two\); set ANDROID_SERIAL",
    ):
        find_device()
    monkeypatch.setenv("ANDROID_SERIAL", "B2")
    assert find_device() == Device("B2", "Two")
    monkeypatch.setenv("ANDROID_SERIAL", "D4")
    with pytest.raises(PocketGemmaError, match="ANDROID_SERIAL=D4: adb finds no such device"):
        find_device()


def test_a_usable_phone_is_preferred_to_one_that_is_not(adb: Adb) -> None:
    adb(listing("C3 unauthorized", "R5CT device model:Pixel_9"))
    assert find_device() == PHONE


def test_install_replaces_an_older_build(adb: Adb, tmp_path: Path) -> None:
    log = adb("echo 'Performing Streamed Install'\necho Success")
    install(PHONE, tmp_path / "app.apk", APP)
    assert log.read_text() == f"-s R5CT install -r {tmp_path}/app.apk\n"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("INSTALL_FAILED_UPDATE_INCOMPATIBLE", f"adb uninstall {APP}"),
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", "the phone has too little free storage"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS", "x86_64"),
        ("INSTALL_FAILED_VERSION_DOWNGRADE", "a newer version"),
        ("INSTALL_PARSE_FAILED_NO_CERTIFICATES", "INSTALL_PARSE_FAILED_NO_CERTIFICATES"),
    ],
)
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_refused_install_says_why(adb: Adb, tmp_path: Path, code: str, advice: str, exit_code: int) -> None:
    adb(f"echo 'adb: failed to install app.apk: Failure [{code}: words]'\nexit {exit_code}")
    with pytest.raises(PocketGemmaError, match=advice):
        install(PHONE, tmp_path / "app.apk", APP)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.litertlm"
    path.write_bytes(b"weights" * 1000)
    return path


def phone_storage(tmp_path: Path) -> str:
    """A phone whose storage is the file `stored`."""
    return f"""
case "$3 $4" in
  "shell sha256sum"*) [ -e {tmp_path}/stored ] && sha256sum {tmp_path}/stored ;;
  push*) cp "$4" {tmp_path}/stored; [ -z "$DAMAGE" ] || echo x >> {tmp_path}/stored ;;
esac
exit 0"""


def test_a_base_is_pushed_under_its_own_name(adb: Adb, model: Path, tmp_path: Path) -> None:
    log, base = adb(phone_storage(tmp_path)), model.with_name("base.litertlm")
    shutil.copyfile(model, base)
    push_model(PHONE, base, APP)
    assert f"push {base} /sdcard/Android/data/{APP}/files/base.litertlm" in log.read_text()


def test_a_model_is_pushed_to_the_apps_folder_and_compared_there(
    adb: Adb, model: Path, tmp_path: Path
) -> None:
    log = adb(phone_storage(tmp_path))
    push_model(PHONE, model, APP)
    assert (tmp_path / "stored").read_bytes() == model.read_bytes()
    assert f"push {model} /sdcard/Android/data/{APP}/files/model.litertlm" in log.read_text()


def test_a_model_that_the_phone_has_is_not_pushed_again(adb: Adb, model: Path, tmp_path: Path) -> None:
    (tmp_path / "stored").write_bytes(model.read_bytes())
    log = adb(phone_storage(tmp_path))
    push_model(PHONE, model, APP)
    assert "push" not in log.read_text()


def test_a_model_that_arrives_damaged_is_refused(
    adb: Adb, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAMAGE", "1")
    adb(phone_storage(tmp_path))
    with pytest.raises(
        PocketGemmaError, match=f"expected sha256 {hashlib.sha256(model.read_bytes()).hexdigest()}"
    ):
        push_model(PHONE, model, APP)


def test_a_push_that_fails_is_quoted(adb: Adb, model: Path) -> None:
    adb('[ "$3" = push ] && { echo "remote write failed: No space left on device"; exit 1; }; exit 0')
    with pytest.raises(PocketGemmaError, match="No space left on device"):
        push_model(PHONE, model, APP)


def test_the_chat_is_opened(adb: Adb) -> None:
    log = adb("echo 'Starting: Intent { cmp=io.pocketgemma.chat/.MainActivity }'")
    start(PHONE, APP)
    assert log.read_text() == f"-s R5CT shell am start -n {APP}/{APP}.MainActivity\n"


def test_an_app_that_does_not_start_is_an_error(adb: Adb) -> None:
    adb("echo 'Starting: Intent'\necho 'Error: Activity class does not exist.'")
    with pytest.raises(PocketGemmaError, match="Activity class does not exist"):
        start(PHONE, APP)
