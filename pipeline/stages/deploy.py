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
    settings: dict[str, Any] = {"name": config.name, "phone": device.serial if device else None}
    with run.stage("deploy", settings=settings, after=("bundle",), force=force) as work:
        files = target.app_files(run.files.bundle.folder, config.name)
        if not work.up_to_date:
            DeployFiles(work.folder).instructions.write_text(target.instructions(files), encoding="utf-8")
            if device:
                target.deploy(device, files)
                work.details.update(phone=device.name)
    if not device:
        console.print(run.files.deploy.instructions.read_text(encoding="utf-8").rstrip())
    console.print(str(files.app), style="bold")
