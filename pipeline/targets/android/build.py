"""Build the app without a model: resources, code and native libraries. Each step is cached."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.targets.android.classes import build_dex, library_resources
from pipeline.targets.android.native import PLATFORMS, runtime_library, shim_library
from pipeline.targets.android.project import AppSettings, app_settings
from pipeline.targets.android.resources import build_resources


@dataclass(frozen=True)
class AppBuild:
    """The parts of an APK without a model.

    Attributes:
        settings: what identifies the app.
        resources: an APK that contains only the compiled resources and the Android manifest.
        dex: the code.
        library_resources: files that the code's libraries look for on the class path, by name.
        libraries: for each ABI, the native libraries of lib/<abi>/.
        compressed_libraries: whether the phone unpacks the native libraries at installation, instead of
            mapping them from the APK.
    """

    settings: AppSettings
    resources: Path
    dex: Path
    library_resources: dict[str, bytes]
    libraries: dict[str, tuple[Path, ...]]
    compressed_libraries: bool = False


def build_app(abis: Sequence[str], title: str, *, compress_libraries: bool = False) -> AppBuild:
    """Build the app, or take an earlier build of the same sources from the cache.

    Args:
        abis: "arm64-v8a", "x86_64" or both.
        title: the app's name on the phone.
        compress_libraries: compress the native libraries in the APK, and have the phone unpack them: the
            download is smaller, the installed app is larger.

    Raises:
        InputError: an ABI is unknown.
        PocketGemmaError: a tool is missing or fails.
    """
    unknown = [abi for abi in abis if abi not in PLATFORMS]
    if unknown:
        raise InputError(f"unknown ABI {', '.join(unknown)}; expected {' or '.join(PLATFORMS)}")
    resources = build_resources(title, compress_libraries=compress_libraries)
    return AppBuild(
        settings=app_settings(),
        resources=resources.apk,
        dex=build_dex(resources),
        library_resources=library_resources(),
        libraries={abi: (runtime_library(abi), shim_library(abi)) for abi in abis},
        compressed_libraries=compress_libraries,
    )
