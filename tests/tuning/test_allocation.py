"""Promise: memory that a training step frees is there for the next one, and is returned after training."""

import gc
import mmap
import os
import platform

import numpy as np
import pytest

from pipeline.tuning.allocation import HUGE_PAGES, SETTINGS, huge_pages, kept_memory

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for name in os.environ if name.startswith((*SETTINGS, HUGE_PAGES))):
        monkeypatch.delenv(name)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def write_and_free(size: int) -> None:
    np.ones(size, np.uint8)


class Cycle:
    """Holds memory, and is only freed when cycles are collected."""

    def __init__(self, size: int) -> None:
        self.memory, self.itself = np.ones(size, np.uint8), self


@needs_glibc
@pytest.mark.parametrize("size", [64 * MIB, 2100 * MIB])
def test_freed_memory_stays_until_the_end(size: int) -> None:
    before = resident()
    with kept_memory():
        write_and_free(size)
        assert resident() > before + 0.9 * size
    assert resident() < before + 0.2 * size
    write_and_free(size)
    assert resident() < before + 0.2 * size


@needs_glibc
def test_it_is_returned_after_an_interruption() -> None:
    size, before = 64 * MIB, resident()
    with pytest.raises(KeyboardInterrupt), kept_memory():
        write_and_free(size)
        raise KeyboardInterrupt
    assert resident() < before + 0.2 * size


@needs_glibc
def test_what_only_cycles_hold_is_returned_too() -> None:
    gc.collect()
    gc.disable()
    try:
        size, before = 64 * MIB, resident()
        with kept_memory():
            Cycle(size)
        assert resident() < before + 0.2 * size
    finally:
        gc.enable()


@needs_glibc
@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_a_configured_library_is_not_changed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "65536")
    size, before = 64 * MIB, resident()
    with kept_memory():
        write_and_free(size)
        assert resident() < before + 0.2 * size


def test_huge_pages_are_asked_for_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="inside"), huge_pages():
        assert os.environ[HUGE_PAGES] == "1"
        raise KeyError("inside")
    assert HUGE_PAGES not in os.environ
    monkeypatch.setenv(HUGE_PAGES, "0")
    with huge_pages():
        assert os.environ[HUGE_PAGES] == "0"
    assert os.environ[HUGE_PAGES] == "0"
