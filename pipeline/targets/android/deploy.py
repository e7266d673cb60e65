"""Android's part of the deploy stage: install the app over adb, or explain how to do it by hand."""

import shlex

from pipeline.console import console
from pipeline.targets.android.adb import install, model_path, push_model, start
from pipeline.targets.android.project import app_settings
from pipeline.targets.target import AppFiles, Device


def deploy(device: Device, files: AppFiles) -> None:
    """Install the app, push the models that are not in the APK, and open the chat.

    Raises:
        PocketGemmaError: the phone refuses; the message says what to do.
    """
    application_id = app_settings().application_id
    console.print(f"  installing on {device.name} ({device.serial})")
    install(device, files.app, application_id)
    for model in files.models:
        console.print(f"  pushing {model.name}, {model.stat().st_size / 10**6:.0f} MB")
        push_model(device, model, application_id)
    start(device, application_id)
    console.print(f"  the chat is open on {device.name}")


def instructions(files: AppFiles) -> str:
    """The commands that install the app from this machine; without models to push, also the way without a
    cable."""
    application_id = app_settings().application_id
    lines = [
        "No phone is connected. To install the app over USB (needs adb, and USB debugging turned on):",
        f"  adb install -r {shlex.quote(str(files.app))}",
    ]
    if files.models:
        paths = {model: model_path(application_id, model.name) for model in files.models}
        lines.append(f"  adb shell mkdir -p {next(iter(paths.values())).rpartition('/')[0]}")
        lines += [f"  adb push {shlex.quote(str(model))} {path}" for model, path in paths.items()]
    else:
        lines += [
            "To install it without a cable:",
            "  copy the APK to the phone, open it there, and allow the file manager to install apps",
        ]
    return "\n".join(lines) + "\n"
