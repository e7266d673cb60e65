"""Use a phone that is connected over USB: find it, install the app, push models that are too large for the
APK, open the chat."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import PocketGemmaError
from pipeline.targets.android.assets import PUSHED_MODEL
from pipeline.targets.android.project import NAMESPACE
from pipeline.targets.target import Device

_ACTIVITY = f"{NAMESPACE}.MainActivity"

# The states and errors that adb reports, and what to do about them.
_STATES = {
    "unauthorized": "does not trust this computer yet; unlock it, allow USB debugging when it asks, and run "
    "again",
    "offline": "is offline; unplug it, plug it in again, and run again",
    "no permissions": "cannot be accessed by your user; set up udev rules "
    "(developer.android.com/tools/device), and run again",
}
_INSTALL_FAILURES = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": "a build signed with another key is installed; remove it first "
    "(this deletes its chats): adb uninstall {id}",
    "INSTALL_FAILED_VERSION_DOWNGRADE": "a newer version is installed; remove it first: adb uninstall {id}",
    "INSTALL_FAILED_NO_MATCHING_ABIS": "the app is not built for this phone's processor; add its ABI: --set "
    "'bundle.abis=[arm64-v8a, x86_64]'",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": "the phone has too little free storage; free some space",
    "INSTALL_FAILED_OLDER_SDK": "the phone's Android version is too old; the app needs Android 7 or newer",
    "INSTALL_FAILED_USER_RESTRICTED": "the phone does not allow installation over USB; turn on 'Install via "
    "USB' in its developer options",
}
_SECONDS_FOR_SHORT = 60
_SECONDS_FOR_FILES = 1800


def find_device() -> Device | None:
    """The connected phone, or None if there is none or adb is not installed. ANDROID_SERIAL selects one of
    several.

    Raises:
        PocketGemmaError: a phone is connected but not usable, or there are several and ANDROID_SERIAL is not
            set.
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
            raise PocketGemmaError(
                f"ANDROID_SERIAL={wanted}: adb finds no such device; list them with: adb devices"
            )
    usable = [device for device, state in listed if state == "device"]
    if len(usable) > 1:
        names = ", ".join(f"{device.serial} ({device.name})" for device in usable)
        raise PocketGemmaError(f"several devices are connected: {names}; set ANDROID_SERIAL to one of them")
    if usable:
        return usable[0]
    if listed:
        device, state = listed[0]
        advice = _STATES.get(state, f"is in state {state!r}; see: adb devices")
        raise PocketGemmaError(f"the device {device.serial} {advice}")
    return None


def _device(line: str) -> tuple[Device, str]:
    """The device and its state in a line of `adb devices -l`."""
    serial, rest = line.split(None, 1)
    state = next((state for state in _STATES if rest.startswith(state)), rest.split()[0])
    model = re.search(r"\bmodel:(\S+)", rest)
    return Device(serial, model[1].replace("_", " ") if model else "unknown model"), state


def install(device: Device, apk: Path, application_id: str) -> None:
    """Install the app, or update an installed build.

    Raises:
        PocketGemmaError: the phone refuses; the message says what to do.
    """
    try:
        printed = _adb("-s", device.serial, "install", "-r", str(apk), seconds=_SECONDS_FOR_FILES)
    except PocketGemmaError as error:
        printed = str(error)
    if re.search(r"^\s*Success", printed, re.MULTILINE):
        return
    for code, advice in _INSTALL_FAILURES.items():
        if code in printed:
            raise PocketGemmaError(f"{device.name}: {advice.format(id=application_id)} ({code})")
    last = next(
        (line.strip() for line in reversed(printed.splitlines()) if line.strip()), "adb printed nothing"
    )
    raise PocketGemmaError(f"{device.name}: installing {apk.name} failed: {last}")


def model_path(application_id: str, name: str = PUSHED_MODEL) -> str:
    """The path on the phone of a model that is too large for the APK."""
    return f"/sdcard/Android/data/{application_id}/files/{name}"


def push_model(device: Device, model: Path, application_id: str) -> None:
    """Copy a model to the app's folder on the phone and verify its digest there. A model that the phone
    already has is not sent again.

    Raises:
        PocketGemmaError: the model cannot be copied, or the copy is damaged.
    """
    target, digest = model_path(application_id, model.name), sha256_of_file(model)
    if _digest_on_device(device, target) == digest:
        return
    _adb("-s", device.serial, "shell", f"mkdir -p {shlex.quote(os.path.dirname(target))}")
    _adb("-s", device.serial, "push", str(model), target, seconds=_SECONDS_FOR_FILES)
    arrived = _digest_on_device(device, target)
    if arrived != digest:
        raise PocketGemmaError(
            f"{device.name}: {target} {f'has sha256 {arrived}' if arrived else 'is missing'}, expected "
            f"sha256 {digest}; run again"
        )


def _digest_on_device(device: Device, path: str) -> str | None:
    printed = _adb(
        "-s",
        device.serial,
        "shell",
        f"sha256sum {shlex.quote(path)} 2>/dev/null || true",
        seconds=_SECONDS_FOR_FILES,
    )
    match = re.match(r"[0-9a-f]{64}\b", printed.strip())
    return match[0] if match else None


def start(device: Device, application_id: str) -> None:
    """Open the chat on the phone.

    Raises:
        PocketGemmaError: the app does not start.
    """
    printed = _adb("-s", device.serial, "shell", f"am start -n {application_id}/{_ACTIVITY}")
    # The exit code of `am` is 0 even if there is no such activity.
    if "Error" in printed:
        raise PocketGemmaError(f"{device.name}: the app does not start: {printed.strip().splitlines()[-1]}")


def _adb(*arguments: str, seconds: int = _SECONDS_FOR_SHORT) -> str:
    """Run adb and return everything that it prints."""
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
            f"adb {arguments[-1]}: no response after {seconds} s; unplug the phone, plug it in again, and "
            "run again"
        ) from None
    except OSError as error:
        raise PocketGemmaError(f"adb cannot be run: {error}") from None
    if done.returncode != 0:
        raise PocketGemmaError(f"adb {' '.join(arguments)}: {done.stdout.strip() or 'failed without output'}")
    return done.stdout
