"""Promise: memory that a training step frees is there for the next one, and is returned after training."""

import mmap
import platform
import resource

import pytest

from pipeline.tuning.allocation import kept_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")

BYTES = 64 << 20
PAGES = BYTES // mmap.PAGESIZE


def new_pages() -> int:
    """How many pages the kernel clears for a large array that is written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def test_freed_memory_is_used_again() -> None:
    assert new_pages() > 0.9 * PAGES or _huge_pages()
    with kept_memory():
        new_pages()
        assert new_pages() < 0.05 * PAGES


def test_it_is_returned_at_the_end() -> None:
    with kept_memory():
        new_pages()
        inside = resident()
    assert resident() < inside - 0.5 * BYTES
    with pytest.raises(KeyboardInterrupt), kept_memory():
        new_pages()
        raise KeyboardInterrupt
    assert resident() < inside - 0.5 * BYTES


def _huge_pages() -> bool:
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        return "[always]" in file.read()
