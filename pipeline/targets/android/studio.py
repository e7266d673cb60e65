"""Prepare the Gradle project for Android Studio.

    python -m pipeline.targets.android.studio RUN_FOLDER

Gradle compiles the Kotlin code and the shim. It cannot provide LiteRT-LM's libraries and the assets (models,
adapters, manifest, questions): this script copies them from a finished bundle stage to android/build/studio.
"""

import shlex
import shutil
import sys
import zipfile
from pathlib import Path

from pipeline.errors import InputError, PocketGemmaError
from pipeline.run.files import RunFiles
from pipeline.targets.android.adb import model_path
from pipeline.targets.android.native import PLATFORMS, runtime_library
from pipeline.targets.android.project import ROOT, app_settings

TARGET = ROOT / "build" / "studio"


def prepare_studio(run: Path, target: Path = TARGET) -> list[Path]:
    """Write jniLibs/ and assets/ for the Gradle project.

    Args:
        run: a run folder with a finished bundle stage, whose models, adapters, manifest and sample questions
            become the app's assets.
        target: the folder that the Gradle project reads; its old content is deleted.

    Returns:
        The models that are too large for the APK. They must be pushed to the phone.

    Raises:
        InputError: the bundle stage has not run.
    """
    bundle = RunFiles(run).bundle
    apk = next(iter(bundle.apks), None)
    if apk is None:
        raise InputError(
            f"{run}: the bundle stage has not run yet; run: pocketgemma bundle --run {shlex.quote(str(run))}"
        )
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            if name.startswith("assets/"):
                archive.extract(name, target)
    for abi in PLATFORMS:
        folder = target / "jniLibs" / abi
        folder.mkdir(parents=True)
        shutil.copyfile(runtime_library(abi), folder / runtime_library(abi).name)
    return [path for path in (bundle.model, bundle.base) if path.is_file()]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m pipeline.targets.android.studio RUN_FOLDER")
    try:
        pushed = prepare_studio(Path(sys.argv[1]))
    except PocketGemmaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"{TARGET}: ready; open {ROOT} in Android Studio")
    for model in pushed:
        print(
            f"too large for the APK, run: adb push {shlex.quote(str(model))} "
            f"{model_path(app_settings().application_id, model.name)}"
        )
