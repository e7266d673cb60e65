"""Bring the app to a phone on a cable, or say exactly how to install it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.console import console
from pipeline.recipe.schema import Config
from pipeline.run.files import DeployFiles
from pipeline.run.folder import Run
from pipeline.targets.android.adb import Phone, find_phone, install, model_path, push_model, start
from pipeline.targets.android.project import app_settings


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Install, push models that are too big for the APK, and start the chat; without a phone, write and print INSTALL.txt.

    Raises:
        PocketGemmaError: the phone refuses; says why and what to do.
    """
    phone = find_phone()
    bundle = run.files.bundle
    apk = bundle.apk(config.name)
    settings: dict[str, Any] = {"name": config.name, "phone": phone.serial if phone else None}
    with run.stage("deploy", settings=settings, after=("bundle",), force=force) as work:
        if not work.up_to_date:
            beside = [model for model in (bundle.model, bundle.base) if model.exists()]
            DeployFiles(work.folder).instructions.write_text(_instructions(apk, beside), encoding="utf-8")
            if phone:
                _bring(phone, apk, beside)
                work.details.update(phone=phone.model)
    if not phone:
        console.print(run.files.deploy.instructions.read_text(encoding="utf-8").rstrip(), markup=False)
    console.print(f"[bold]{apk}[/]")


def _bring(phone: Phone, apk: Path, beside: Sequence[Path]) -> None:
    application_id = app_settings().application_id
    console.print(f"  installing on {phone.model} ({phone.serial})")
    install(phone, apk, application_id)
    for model in beside:
        console.print(f"  pushing {model.name}, {model.stat().st_size / 10**6:.0f} MB")
        push_model(phone, model, application_id)
    start(phone, application_id)
    console.print(f"  the chat is open on {phone.model}")


def _instructions(apk: Path, beside: Sequence[Path]) -> str:
    application_id = app_settings().application_id
    lines = [
        "No phone is connected. To install the app:",
        "  with a cable (USB debugging on, adb installed):",
        f"    adb install -r {apk}",
    ]
    if beside:
        targets = {model: model_path(application_id, model.name) for model in beside}
        lines.append(f"    adb shell mkdir -p {next(iter(targets.values())).rpartition('/')[0]}")
        lines += [f"    adb push {model} {target}" for model, target in targets.items()]
    else:
        lines += [
            "  or without one: copy the APK to the phone, open it there, and allow the file manager to install apps"
        ]
    return "\n".join(lines) + "\n"
