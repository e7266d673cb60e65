"""Faults of native libraries in an APK that is signed again, as a faulty build would be."""

import struct
import zipfile

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.targets.android.native_check import unpacked_bytes
from tests.targets.android.workshop import ABI, LIBRARY, Workshop, repack

pytestmark = pytest.mark.slow


def test_a_misaligned_library_is_refused(workshop: Workshop) -> None:
    def without_padding(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == LIBRARY:
            entry.extra = b""
        return entry, data

    with pytest.raises(
        PocketGemmaError, match=rf"{LIBRARY} starts at byte \d+, expected a multiple of 16384"
    ):
        workshop.check(repack(workshop.package(), without_padding))


def test_a_library_for_small_pages_is_refused(workshop: Workshop) -> None:
    library = workshop.app.libraries[ABI][0]
    content = bytearray(library.read_bytes())
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    loaded = [entry for entry in range(table, table + size * count, size) if content[entry] == 1]
    struct.pack_into("<Q", content, loaded[-1] + 48, 4096)
    library.write_bytes(content)
    with pytest.raises(
        PocketGemmaError,
        match=r"liblitert-lm\.so has a segment aligned to 4096 bytes, expected a multiple of 16384",
    ):
        workshop.check(workshop.package())


def test_a_compressed_library_is_refused(workshop: Workshop) -> None:
    def compressed(entry: zipfile.ZipInfo, data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
        if entry.filename == LIBRARY:
            entry.compress_type, entry.extra = zipfile.ZIP_DEFLATED, b""
        return entry, data

    with pytest.raises(PocketGemmaError, match=f"{LIBRARY} is compressed"):
        workshop.check(repack(workshop.package(), compressed))


def test_the_largest_of_several_abis_counts_as_unpacked(workshop: Workshop) -> None:
    libraries = workshop.app.libraries[ABI]
    unsigned = workshop.package(libraries={ABI: libraries, "x86_64": libraries[:1]})
    with zipfile.ZipFile(unsigned) as archive:
        assert unpacked_bytes(archive) == sum(path.stat().st_size for path in libraries)


def test_missing_and_unexpected_abis_are_refused(workshop: Workshop) -> None:
    libraries = workshop.app.libraries[ABI]
    with pytest.raises(
        PocketGemmaError, match="contains libraries for arm64-v8a, x86_64, expected arm64-v8a"
    ):
        workshop.check(workshop.package(libraries={ABI: libraries, "x86_64": libraries}))
    with pytest.raises(
        PocketGemmaError, match=r"contains libraries for no ABI.*libpocketgemma\.so is missing"
    ):
        workshop.check(workshop.package(libraries={}))
