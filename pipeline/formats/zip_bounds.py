"""A bound on what a zip unpacks to, checked before anything in it is unpacked."""

import zipfile

from pipeline.errors import InputError

RATIO = 100
"""Unpacked bytes for each byte in the file, at most. Code, libraries and JSON have less than 10."""

FREE = 16 << 20
"""Bytes that an entry, and all entries together, may always unpack to."""


def check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse a zip that would unpack to far more than a model or an app does.

    Raises:
        InputError: an entry, or all of them together, exceed FREE and RATIO.
    """
    entries = archive.infolist()
    sizes = [(entry.filename, entry.file_size, entry.compress_size) for entry in entries]
    sizes.append(("all entries", sum(size for _, size, _ in sizes), sum(stored for *_, stored in sizes)))
    for name, size, stored in sizes:
        if size > FREE and size > RATIO * stored:
            raise InputError(
                f"{archive.filename}: {name!r:.60} would unpack from {stored:,} to {size:,} bytes, far more "
                "than any part of a model or an app; refusing to read it"
            )
