"""Memory for training on a CPU: huge pages, and freed memory that stays for the next step.

The GNU C library returns large blocks to the kernel when they are freed, and the kernel clears each page of
the next ones again. In a training step on a CPU, which allocates and frees the same sizes over and over, that
takes up to a fifth of the time.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_MMAP_MAX."""

KEEP = {TRIM_THRESHOLD: 2**31 - 1, MMAP_MAX: 0}

AFTERWARDS = {TRIM_THRESHOLD: 64 << 20, MMAP_THRESHOLD: 32 << 20, MMAP_MAX: 65536}
"""What the library sets by itself once a block of 32 MiB was freed. Its thresholds follow the freed blocks,
until a program sets one."""


def prefer_huge_pages() -> None:
    """Ask PyTorch to put large tensors into huge pages, unless the environment says otherwise. Call it before
    PyTorch is imported. Large models need less memory for a step, small ones a little more."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in this process, and return it at the end. Does nothing without the GNU C library."""
    library = _glibc()
    if library is None:
        yield
        return
    for parameter, value in KEEP.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in AFTERWARDS.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is GNU's."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version, library.mallopt, library.malloc_trim  # noqa: B018
    except (AttributeError, OSError, TypeError):  # musl has no mallopt; Windows cannot open None
        return None
    return library
