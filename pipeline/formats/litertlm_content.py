"""The id of a .litertlm's content, which tells a whole file from a damaged one."""

import hashlib
import json
import mmap
import uuid

from pipeline.formats.litertlm import ID, NO_ID, Container
from pipeline.parallel import in_threads

AUTHORS, OURS = "Authors", "PocketGemma"
"""The entry of the system metadata by which a file of PocketGemma is recognized."""

PIECE_BYTES = 1 << 25
"""How many bytes of a section one thread hashes at a time."""


def content_id(container: Container) -> str:
    """The id of a container's content: made from the system metadata and the bytes of all sections, so that
    equal files have equal ids. Pieces of a section are hashed in parallel, and their digests in order."""
    entries = container.system | {ID: NO_ID}
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode())
    ranges = [
        (begin, min(begin + PIECE_BYTES, section.end))
        for section in container.sections
        for begin in range(section.begin, section.end, PIECE_BYTES)
    ]

    def hashed(span: tuple[int, int]) -> tuple[int, bytes]:
        digest = hashlib.sha256()
        with (
            container.path.open("rb", buffering=0) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            digest.update(memoryview(mapped)[span[0] : span[1]])
        return span[0], digest.digest()

    for _, piece in sorted(in_threads(hashed, ranges)):
        digest.update(piece)
    return str(uuid.UUID(bytes=digest.digest()[:16], version=4))


def is_whole(container: Container) -> bool | None:
    """Whether a file has the content that its id says; None if it is not ours, and its id says nothing."""
    if container.system.get(AUTHORS) != OURS or ID not in container.system:
        return None
    return container.system[ID] == content_id(container)
