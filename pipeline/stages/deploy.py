"""Install the app on a connected device, or explain how to install it."""

from typing import Any

from pipeline.console import console
from pipeline.recipe.schema import Config
from pipeline.run.files import DeployFiles
from pipeline.run.folder import Run
from pipeline.targets import load_target


def run(config: Config, run: Run, *, force: bool = False) -> None:
    """Install the app on the connected device and open it; without a device, write and print INSTALL.txt.

    Raises:
        PocketGemmaError: the device refuses; the message says what to do.
    """
    target = load_target(config.bundle.target)
    device = target.find_device()
    folder = run.files.deploy.folder
    settings: dict[str, Any] = {"name": config.name, "phone": device.serial if device else None}
    with run.stage("deploy", settings=settings, after=("bundle",), force=force) as work:
        files = target.app_files(run.files.bundle.folder, config.name)
        if not work.up_to_date:
            _write_instructions(DeployFiles(work.folder), target.instructions(files.relative_to(folder)))
            if device:
                target.deploy(device, files)
                work.details.update(phone=device.name)
    if not device:
        console.print(target.instructions(files).rstrip())
    console.print(str(files.app), style="bold")


def _write_instructions(written: DeployFiles, commands: str) -> None:
    written.instructions.write_text(
        f"Run these commands in the folder of this file.\n\n{commands}", encoding="utf-8"
    )
