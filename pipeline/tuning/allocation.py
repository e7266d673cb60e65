"""Memory for training on a CPU: huge pages, few compiled products, and freed memory that stays for the next
step.

The GNU C library returns large blocks to the kernel when they are freed, and the kernel clears each page of
the next ones again. In a training step on a CPU, which allocates and frees the same sizes over and over, that
takes up to a fifth of the time.
"""

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = {"THP_MEM_ALLOC_ENABLE": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
"""PyTorch reads the first when it allocates its first tensor, and oneDNN the second with its first product.

oneDNN keeps a compiled product for each shape, 1,024 of them unless told otherwise. Every length of a batch
has shapes of its own, and few of them come again soon enough to be worth their memory.
"""

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_MMAP_MAX."""

KEEP = {TRIM_THRESHOLD: -1, MMAP_MAX: 0}
"""A trim threshold of -1 is none."""

AFTERWARDS = {TRIM_THRESHOLD: 64 << 20, MMAP_THRESHOLD: 32 << 20, MMAP_MAX: 65536}
"""What the library sets by itself once a block of 32 MiB was freed. Its thresholds follow the freed blocks,
until a program sets one."""

SETTINGS = ("MALLOC_", "GLIBC_TUNABLES")
"""How the variables begin by which a user configures the library."""


@contextmanager
def training_variables() -> Iterator[None]:
    """Ask PyTorch to put large tensors into huge pages, and oneDNN to keep few compiled products, unless the
    environment says otherwise. Enter it before PyTorch is imported."""
    added = {name: value for name, value in VARIABLES.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in this process, and return it at the end. Does nothing without the GNU C library, or
    if the environment configures that library."""
    library = _glibc()
    if library is None or _is_configured():
        yield
        return
    for parameter, value in KEEP.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in AFTERWARDS.items():
            library.mallopt(parameter, value)
        gc.collect()  # models have reference cycles
        library.malloc_trim(0)


def _is_configured() -> bool:
    return any(name.startswith(SETTINGS) for name in os.environ)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is GNU's."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version, library.mallopt, library.malloc_trim  # noqa: B018
    except (AttributeError, OSError, TypeError):  # musl has no mallopt; Windows cannot open None
        return None
    return library
