"""The names under which the app finds its models: entries of the APK, and files that are pushed to the
phone."""

from pipeline.run.files import BASE, MODEL

MODEL_ENTRY = "assets/model.litertlm"
BASE_ENTRY = "assets/base.litertlm"
ADAPTERS_FOLDER = "assets/adapters/"
MANIFEST_ENTRY = "assets/manifest.json"
QUESTIONS_ENTRY = "assets/questions.json"

PUSHED_MODEL, PUSHED_BASE = MODEL, BASE
"""Names in the app's own folder on the phone, for a model and its base that are too large for the APK: those
in the run folder, which `adb push` keeps."""


def adapter_entry(sha256: str) -> str:
    """The entry of the adapter file with this sha256."""
    return f"{ADAPTERS_FOLDER}{sha256}.tflite"
