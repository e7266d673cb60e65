"""Check the native libraries of a finished APK: their ABIs, their alignment, whether a phone can load them,
their unpacked size."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import PocketGemmaError
from pipeline.formats.aligned_zip import entry_offset
from pipeline.targets.android.elf import load_alignments
from pipeline.targets.android.native import PAGE_BYTES, RUNTIME_LIBRARY, SHIM_LIBRARY


def abis_of(names: set[str]) -> tuple[str, ...]:
    """The ABIs that an APK has native libraries for, by the names of its entries."""
    return tuple(
        sorted({name.split("/")[1] for name in names if name.startswith("lib/") and name.endswith(".so")})
    )


def unpacked_bytes(archive: zipfile.ZipFile) -> int:
    """Size of the libraries that a phone unpacks: those of one ABI; if there are several, of the largest."""
    sizes: dict[str, int] = {}
    for entry in archive.infolist():
        if entry.filename.startswith("lib/"):
            abi = entry.filename.split("/")[1]
            sizes[abi] = sizes.get(abi, 0) + entry.file_size
    return max(sizes.values(), default=0)


def library_faults(
    apk: Path, archive: zipfile.ZipFile, abis: Sequence[str], *, compressed: bool
) -> list[str]:
    """List everything that prevents a phone from loading the native libraries of an APK.

    Args:
        apk: the file.
        archive: the same file, open.
        abis: the ABIs that it must have libraries for.
        compressed: whether the phone unpacks the libraries at installation; else it maps them from the APK.
    """
    names = set(archive.namelist())
    faults = []
    if abis_of(names) != tuple(sorted(abis)):
        faults.append(
            f"contains libraries for {', '.join(abis_of(names)) or 'no ABI'}, expected "
            f"{', '.join(sorted(abis))}"
        )
    faults += [
        f"lib/{abi}/{name} is missing"
        for abi in abis
        for name in (RUNTIME_LIBRARY, SHIM_LIBRARY)
        if f"lib/{abi}/{name}" not in names
    ]
    libraries = [entry for entry in archive.infolist() if entry.filename.endswith(".so")]
    if compressed:
        for entry in libraries:
            if entry.compress_type == zipfile.ZIP_STORED:
                faults.append(f"{entry.filename} is not compressed")
            faults += _segment_faults(entry.filename, io.BytesIO(archive.read(entry)), 0)
        return faults
    faults += alignment_faults(apk, archive, [entry.filename for entry in libraries])
    with apk.open("rb") as file:
        for entry in libraries:
            if entry.compress_type == zipfile.ZIP_STORED:
                faults += _segment_faults(entry.filename, file, entry_offset(apk, entry))
    return faults


def alignment_faults(apk: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> list[str]:
    """List the entries that a phone cannot map: those that are compressed or do not start at a memory page
    boundary."""
    faults = []
    for entry in map(archive.getinfo, names):
        if entry.compress_type != zipfile.ZIP_STORED:
            faults.append(f"{entry.filename} is compressed, so the phone cannot map it")
        elif (start := entry_offset(apk, entry)) % PAGE_BYTES:
            faults.append(f"{entry.filename} starts at byte {start}, expected a multiple of {PAGE_BYTES}")
    return faults


def _segment_faults(name: str, file: BinaryIO, start: int) -> list[str]:
    """What prevents a phone with large memory pages from loading the library that starts at this byte of a
    file."""
    try:
        alignments = load_alignments(file, start)
    except PocketGemmaError as error:
        return [f"{name}: {error}"]
    return [
        f"{name} has a segment aligned to {size} bytes, expected a multiple of {PAGE_BYTES}"
        for size in alignments
        if size % PAGE_BYTES
    ]
