"""The app without a model: resources, code and libraries, each step built once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.targets.android.classes import build_dex, library_resources
from pipeline.targets.android.native import TARGETS, runtime_library, shim_library
from pipeline.targets.android.project import AppSettings, app_settings
from pipeline.targets.android.resources import build_resources


@dataclass(frozen=True)
class AppBuild:
    """The parts of an APK, as files."""

    settings: AppSettings
    # An APK with the compiled resources and manifest, and nothing else.
    resources: Path
    dex: Path
    # What the code's libraries look for on the class path, by name.
    library_resources: dict[str, bytes]
    # For each ABI, the libraries that go into lib/<abi>/.
    libraries: dict[str, tuple[Path, ...]]
    # Whether the phone unpacks the libraries when it installs the app, instead of mapping them from the APK.
    compressed_libraries: bool = False


def build_app(abis: Sequence[str], title: str, *, compress_libraries: bool = False) -> AppBuild:
    """Build the app, or take what was built before from the same sources.

    Args:
        abis: "arm64-v8a", "x86_64" or both.
        title: the app's name on the phone.
        compress_libraries: have the libraries compressed in the APK and unpacked by the phone: a smaller download, more on the phone.

    Raises:
        InputError: an ABI that is not known.
        PocketGemmaError: a tool is missing or refuses.
    """
    unknown = [abi for abi in abis if abi not in TARGETS]
    if unknown:
        raise InputError(f"unknown ABI {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    resources = build_resources(title, compress_libraries=compress_libraries)
    return AppBuild(
        settings=app_settings(),
        resources=resources.apk,
        dex=build_dex(resources),
        library_resources=library_resources(),
        libraries={abi: (runtime_library(abi), shim_library(abi)) for abi in abis},
        compressed_libraries=compress_libraries,
    )
