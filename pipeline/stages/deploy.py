"""Bring the app to a phone on a cable, or say exactly how to install it."""

from pathlib import Path
from typing import Any

from pipeline.apk.adb import MODEL_NAME, Phone, find_phone, install, model_path, push_model, start
from pipeline.apk.project import app_settings
from pipeline.config import Config
from pipeline.console import console
from pipeline.run import Run

INSTRUCTIONS = "INSTALL.txt"


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Install, push a model that is too big for the APK, and start the chat; without a phone, write and print INSTALL.txt.

    Raises:
        PocketGemmaError: the phone refuses; says why and what to do.
    """
    phone = find_phone()
    apk = run.folder("bundle") / f"{config.name}.apk"
    settings: dict[str, Any] = {"name": config.name, "phone": phone.serial if phone else None}
    with run.stage("deploy", settings=settings, after=("bundle",), force=force) as work:
        if not work.up_to_date:
            model = run.folder("bundle") / MODEL_NAME
            beside = model if model.exists() else None
            (work.folder / INSTRUCTIONS).write_text(_instructions(apk, beside), encoding="utf-8")
            if phone:
                _bring(phone, apk, beside)
                work.details.update(phone=phone.model)
    if not phone:
        console.print(
            (run.folder("deploy") / INSTRUCTIONS).read_text(encoding="utf-8").rstrip(), markup=False
        )
    console.print(f"[bold]{apk}[/]")


def _bring(phone: Phone, apk: Path, model: Path | None) -> None:
    application_id = app_settings().application_id
    console.print(f"  installing on {phone.model} ({phone.serial})")
    install(phone, apk, application_id)
    if model:
        console.print(f"  pushing the model, {model.stat().st_size / 10**6:.0f} MB")
        push_model(phone, model, application_id)
    start(phone, application_id)
    console.print(f"  the chat is open on {phone.model}")


def _instructions(apk: Path, model: Path | None) -> str:
    application_id = app_settings().application_id
    lines = [
        "No phone is connected. To install the app:",
        "  with a cable (USB debugging on, adb installed):",
        f"    adb install -r {apk}",
    ]
    if model:
        target = model_path(application_id)
        lines += [f"    adb shell mkdir -p {target.rpartition('/')[0]}", f"    adb push {model} {target}"]
    else:
        lines += [
            "  or without one: copy the APK to the phone, open it there, and allow the file manager to install apps"
        ]
    return "\n".join(lines) + "\n"
