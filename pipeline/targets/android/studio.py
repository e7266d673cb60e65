"""For work in Android Studio: puts what Gradle cannot build into android/build/studio. Run as python -m pipeline.targets.android.studio RUN.

The Gradle project compiles the Kotlin and the shim by itself; LiteRT-LM's libraries and the files of a finished bundle (models, adapters,
manifest, questions) come from here.
"""

import shutil
import sys
import zipfile
from pathlib import Path

from pipeline.errors import InputError, PocketGemmaError
from pipeline.run.files import RunFiles
from pipeline.targets.android.adb import model_path
from pipeline.targets.android.native import TARGETS, runtime_library
from pipeline.targets.android.project import ROOT, app_settings

TARGET = ROOT / "build" / "studio"


def stage_for_studio(run: Path, target: Path = TARGET) -> list[Path]:
    """Write jniLibs/ and assets/ for the Gradle project.

    Args:
        run: a run folder with a finished bundle; its models, adapters, manifest and sample questions become the app's assets.
        target: the folder that the Gradle project takes them from; what was there is removed.

    Returns:
        The models that lie beside the APK, because they are too big for it: the phone needs them too.

    Raises:
        InputError: there is no bundle.
    """
    bundle = RunFiles(run).bundle
    apk = next(iter(bundle.apks), None)
    if apk is None:
        raise InputError(f"{run}: no bundle here yet; run: pocketgemma bundle --run {run}")
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            if name.startswith("assets/"):
                archive.extract(name, target)
    for abi in TARGETS:
        folder = target / "jniLibs" / abi
        folder.mkdir(parents=True)
        shutil.copyfile(runtime_library(abi), folder / runtime_library(abi).name)
    return [path for path in (bundle.model, bundle.base) if path.is_file()]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m pipeline.targets.android.studio RUN_FOLDER")
    try:
        beside = stage_for_studio(Path(sys.argv[1]))
    except PocketGemmaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"{TARGET}: open {ROOT} in Android Studio")
    for model in beside:
        print(
            f"too big for the APK: adb push {model} {model_path(app_settings().application_id, model.name)}"
        )
