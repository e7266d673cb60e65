"""A phone on a cable: finding it, installing the app, pushing models too big for the APK, and starting the chat."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.assets import PUSHED_MODEL
from pipeline.targets.android.project import NAMESPACE

_ACTIVITY = f"{NAMESPACE}.ui.MainActivity"

# What adb answers, and what a person can do about it.
_STATES = {
    "unauthorized": "has not allowed this computer yet: unlock it, tap Allow in the question about USB debugging, and run again",
    "offline": "is offline: unplug it, plug it in again, and run again",
    "no permissions": "cannot be opened by this user: see developer.android.com/tools/device (udev rules on Linux), and run again",
}
_INSTALL_FAILURES = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": "another build with another key is installed; remove it first (this deletes its chats): adb uninstall {id}",
    "INSTALL_FAILED_VERSION_DOWNGRADE": "a newer version is installed; remove it first: adb uninstall {id}",
    "INSTALL_FAILED_NO_MATCHING_ABIS": "the phone has another processor; add its ABI: --set 'bundle.abis=[arm64-v8a, x86_64]'",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": "the phone is full; free some space",
    "INSTALL_FAILED_OLDER_SDK": "the phone's Android is too old; the app needs Android 7 or newer",
    "INSTALL_FAILED_USER_RESTRICTED": "the phone does not allow it; turn on Install via USB in its developer options",
}
_SECONDS_FOR_SHORT = 60
_SECONDS_FOR_FILES = 1800


@dataclass(frozen=True)
class Phone:
    """A device that adb can talk to."""

    serial: str
    model: str


def find_phone() -> Phone | None:
    """The phone to use, or None when adb is not installed or nothing is connected. ANDROID_SERIAL chooses among several.

    Raises:
        PocketGemmaError: a device is connected but cannot be used, or there are several and none is chosen.
    """
    if shutil.which("adb") is None:
        return None
    listed = [
        _device(line)
        for line in _adb("devices", "-l").splitlines()
        if re.match(r"\S+\s+\S", line) and not line.startswith(("List of", "*"))
    ]
    wanted = os.environ.get("ANDROID_SERIAL")
    if wanted:
        listed = [entry for entry in listed if entry[0].serial == wanted]
        if not listed:
            raise PocketGemmaError(f"ANDROID_SERIAL={wanted}: adb sees no such device; see: adb devices")
    usable = [phone for phone, state in listed if state == "device"]
    if len(usable) > 1:
        names = ", ".join(f"{phone.serial} ({phone.model})" for phone in usable)
        raise PocketGemmaError(f"several devices are connected: {names}; choose one: ANDROID_SERIAL=…")
    if usable:
        return usable[0]
    if listed:
        phone, state = listed[0]
        raise PocketGemmaError(
            f"the device {phone.serial} {_STATES.get(state, f'is in state {state!r}: see adb devices')}"
        )
    return None


def _device(line: str) -> tuple[Phone, str]:
    serial, rest = line.split(None, 1)
    state = next((state for state in _STATES if rest.startswith(state)), rest.split()[0])
    model = re.search(r"\bmodel:(\S+)", rest)
    return Phone(serial, model[1].replace("_", " ") if model else "unknown model"), state


def install(phone: Phone, apk: Path, application_id: str) -> None:
    """Install the app, over an older build of it.

    Raises:
        PocketGemmaError: the phone refuses; says why and what to do.
    """
    try:
        printed = _adb("-s", phone.serial, "install", "-r", str(apk), seconds=_SECONDS_FOR_FILES)
    except PocketGemmaError as error:
        printed = str(error)
    if re.search(r"^\s*Success", printed, re.MULTILINE):
        return
    for code, advice in _INSTALL_FAILURES.items():
        if code in printed:
            raise PocketGemmaError(f"{phone.model}: {advice.format(id=application_id)} ({code})")
    last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "adb said nothing")
    raise PocketGemmaError(f"{phone.model}: installing {apk.name} failed: {last}")


def model_path(application_id: str, name: str = PUSHED_MODEL) -> str:
    """Where on the phone a model lies that is too big for the APK."""
    return f"/sdcard/Android/data/{application_id}/files/{name}"


def push_model(phone: Phone, model: Path, application_id: str) -> None:
    """Copy a model to the app's own folder, under its own name, and compare it there with what was sent. A model that is there
    already is not sent again.

    Raises:
        PocketGemmaError: it cannot be copied, or arrived damaged.
    """
    target, digest = model_path(application_id, model.name), sha256_of_file(model)
    if _digest_on_phone(phone, target) == digest:
        return
    _adb("-s", phone.serial, "shell", f"mkdir -p {shlex.quote(os.path.dirname(target))}")
    _adb("-s", phone.serial, "push", str(model), target, seconds=_SECONDS_FOR_FILES)
    arrived = _digest_on_phone(phone, target)
    if arrived != digest:
        raise PocketGemmaError(
            f"{phone.model}: {target} has sha256 {arrived or '(no file)'}, expected {digest}; run again"
        )


def _digest_on_phone(phone: Phone, path: str) -> str | None:
    printed = _adb(
        "-s",
        phone.serial,
        "shell",
        f"sha256sum {shlex.quote(path)} 2>/dev/null || true",
        seconds=_SECONDS_FOR_FILES,
    )
    match = re.match(r"[0-9a-f]{64}\b", printed.strip())
    return match[0] if match else None


def start(phone: Phone, application_id: str) -> None:
    """Open the chat on the phone.

    Raises:
        PocketGemmaError: it does not start.
    """
    printed = _adb("-s", phone.serial, "shell", f"am start -n {application_id}/{_ACTIVITY}")
    # `am` ends with 0 even when there is no such activity.
    if "Error" in printed:
        raise PocketGemmaError(f"{phone.model}: the app does not start: {printed.strip().splitlines()[-1]}")


def _adb(*arguments: str, seconds: int = _SECONDS_FOR_SHORT) -> str:
    """Run adb and return everything it printed."""
    try:
        done = subprocess.run(
            ["adb", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PocketGemmaError(
            f"adb {arguments[-1]}: no answer in {seconds} s; unplug the phone, plug it in, and run again"
        ) from None
    except OSError as error:
        raise PocketGemmaError(f"adb cannot be run: {error}") from None
    if done.returncode != 0:
        raise PocketGemmaError(f"adb {' '.join(arguments)}: {done.stdout.strip() or 'failed without a word'}")
    return done.stdout
