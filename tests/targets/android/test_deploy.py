from pathlib import Path

from pipeline.targets.android.deploy import instructions
from pipeline.targets.target import AppFiles

FOLDER = "/sdcard/Android/data/io.pocketgemma.chat/files"


def test_without_models_to_push_there_is_also_a_way_without_a_cable() -> None:
    assert instructions(AppFiles(Path("/runs/science.apk"), [])) == (
        "No phone is connected. To install the app over USB (needs adb, and USB debugging turned on):\n"
        "  adb install -r /runs/science.apk\n"
        "To install it without a cable:\n"
        "  copy the APK to the phone, open it there, and allow the file manager to install apps\n"
    )


def test_models_are_pushed_to_the_app_s_folder() -> None:
    models = [Path("/runs/model.litertlm"), Path("/runs/base.litertlm")]
    lines = instructions(AppFiles(Path("/runs/science.apk"), models)).splitlines()
    assert lines[2:] == [
        f"  adb shell mkdir -p {FOLDER}",
        f"  adb push /runs/model.litertlm {FOLDER}/model.litertlm",
        f"  adb push /runs/base.litertlm {FOLDER}/base.litertlm",
    ]
