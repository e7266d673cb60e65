"""Android phones as a target of the pipeline."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.run.files import BundleFiles
from pipeline.targets.android import adb, deploy, tools
from pipeline.targets.android.contents import read_packaged_files
from pipeline.targets.android.project import source_digest
from pipeline.targets.android.sign import signer_digest
from pipeline.targets.target import (
    AppFiles,
    BundleReport,
    BundleRequest,
    Device,
    Finding,
    PackagedFile,
    Target,
)


class AndroidTarget:
    """See `pipeline.targets.target.Target`."""

    name = "Android"

    def freshness(self) -> Mapping[str, str]:
        return {"app sources": source_digest(), "signing key": signer_digest()}

    def bundle(self, request: BundleRequest, folder: Path) -> BundleReport:
        # Reads models, for which doctor and deploy have no use: numpy alone takes half a second to import.
        from pipeline.targets.android.bundle import bundle_app

        return bundle_app(request, folder)

    def app_files(self, folder: Path, name: str) -> AppFiles:
        files = BundleFiles(folder)
        return AppFiles(files.apk(name), [path for path in (files.model, files.base) if path.is_file()])

    def packaged_files(self, app: Path) -> Sequence[PackagedFile]:
        if not zipfile.is_zipfile(app):
            return []
        with zipfile.ZipFile(app) as archive:
            return read_packaged_files(archive)

    def find_device(self) -> Device | None:
        return adb.find_device()

    def instructions(self, files: AppFiles) -> str:
        return deploy.instructions(files)

    def deploy(self, device: Device, files: AppFiles) -> None:
        deploy.deploy(device, files)

    def doctor(self) -> Sequence[Finding]:
        return tools.findings()


TARGET: Target = AndroidTarget()
