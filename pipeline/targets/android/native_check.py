"""The native libraries of a finished APK: for which ABIs, where they lie, whether a phone can load them, what it keeps of them."""

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import PocketGemmaError
from pipeline.targets.android.elf import load_alignments
from pipeline.targets.android.native import PAGE_BYTES, RUNTIME_LIBRARY, SHIM_LIBRARY


def abis_of(names: set[str]) -> tuple[str, ...]:
    """The ABIs that an APK has libraries for, by its entries' names."""
    return tuple(
        sorted({name.split("/")[1] for name in names if name.startswith("lib/") and name.endswith(".so")})
    )


def unpacked_bytes(archive: zipfile.ZipFile) -> int:
    """What a phone unpacks of an APK's libraries: those of one ABI; of several the largest counts."""
    sizes: dict[str, int] = {}
    for entry in archive.infolist():
        if entry.filename.startswith("lib/"):
            abi = entry.filename.split("/")[1]
            sizes[abi] = sizes.get(abi, 0) + entry.file_size
    return max(sizes.values(), default=0)


def library_faults(
    apk: Path, archive: zipfile.ZipFile, abis: Sequence[str], *, compressed: bool
) -> list[str]:
    """What keeps a phone from loading the libraries of an APK, each in a few words.

    Args:
        apk: the file.
        archive: the same, open.
        abis: those that it is to have libraries for.
        compressed: whether the phone unpacks them at installation; else it maps them from the APK.
    """
    names = set(archive.namelist())
    faults = []
    if abis_of(names) != tuple(sorted(abis)):
        faults.append(
            f"holds libraries for {', '.join(abis_of(names)) or 'no ABI'}, expected {', '.join(sorted(abis))}"
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
    faults += place_faults(apk, archive, [entry.filename for entry in libraries])
    with apk.open("rb") as file:
        for entry in libraries:
            if entry.compress_type == zipfile.ZIP_STORED:
                faults += _segment_faults(entry.filename, file, _begin(file, entry))
    return faults


def _segment_faults(name: str, file: BinaryIO, start: int) -> list[str]:
    """What in a library, which begins at a byte of a file, keeps a phone with large pages from loading it."""
    try:
        alignments = load_alignments(file, start)
    except PocketGemmaError as error:
        return [f"{name}: {error}"]
    return [
        f"{name} has a segment aligned to {size}, less than {PAGE_BYTES}"
        for size in alignments
        if size % PAGE_BYTES
    ]


def place_faults(apk: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> list[str]:
    """Which entries of an APK do not lie stored at the boundary of a memory page."""
    faults = []
    with apk.open("rb") as file:
        for entry in map(archive.getinfo, names):
            if entry.compress_type != zipfile.ZIP_STORED:
                faults.append(f"{entry.filename} is compressed, so the phone cannot map it")
            elif (start := _begin(file, entry)) % PAGE_BYTES:
                faults.append(f"{entry.filename} lies at {start}, not at a multiple of {PAGE_BYTES}")
    return faults


def _begin(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """The byte of an APK at which an entry's content begins."""
    file.seek(entry.header_offset + 26)
    name_length, extra_length = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + name_length + extra_length
