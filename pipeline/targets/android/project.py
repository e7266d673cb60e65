"""The Gradle project in android/: its folders and settings."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import digest_of
from pipeline.errors import PocketGemmaError

ROOT = Path(__file__).resolve().parents[3] / "android"
MAIN = ROOT / "app" / "src" / "main"
TESTS = ROOT / "app" / "src" / "test"
DEPENDENCIES = ROOT / "dependencies"
LOCK = ROOT.parent / "requirements.lock"
NAMESPACE = "io.pocketgemma.chat"


@dataclass(frozen=True)
class AppSettings:
    """What identifies the app to Android, from android/gradle.properties."""

    application_id: str
    min_sdk: int
    target_sdk: int
    version_code: int
    version_name: str


def app_settings() -> AppSettings:
    """Read android/gradle.properties.

    Raises:
        PocketGemmaError: the file or one of its keys is missing.
    """
    path = ROOT / "gradle.properties"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise PocketGemmaError(
            f"{path}: missing; the app can only be built from a checkout of the project, not from an "
            "installed package"
        ) from None
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    try:
        return AppSettings(
            application_id=values["pocketgemma.applicationId"],
            min_sdk=int(values["pocketgemma.minSdk"]),
            target_sdk=int(values["pocketgemma.targetSdk"]),
            version_code=int(values["pocketgemma.versionCode"]),
            version_name=values["pocketgemma.versionName"],
        )
    except KeyError as error:
        raise PocketGemmaError(f"{path}: {error.args[0]} is missing") from None


def source_digest() -> str:
    """A digest of everything in the repository that decides the app's code: sources, settings, pinned
    versions, this package."""
    return digest_of(
        [
            MAIN,
            DEPENDENCIES,
            ROOT / "gradle.properties",
            ROOT / "app" / "proguard-rules.pro",
            Path(__file__).parent,
            LOCK,
        ]
    )
