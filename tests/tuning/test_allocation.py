"""Promise: memory that a training step frees is there for the next one, and is returned after training."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping

import pytest

from pipeline.tuning.allocation import SETTINGS, VARIABLES, training_variables

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")

MIB = 1 << 20

PROGRAM = """
import gc, mmap, sys
import numpy as np
from pipeline.tuning.allocation import kept_memory

size = int(sys.argv[1])


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def show(start=resident()):
    print((resident() - start) / size)


def write_and_free():
    np.ones(size, np.uint8)


class Cycle:
    def __init__(self):
        self.memory, self.itself = np.ones(size, np.uint8), self


"""


def shares(code: str, size: int = 64 * MIB, variables: Mapping[str, str] | None = None) -> list[float]:
    """What some code shows in a new process: resident memory since the start, as a share of the size."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code, str(size)],
        capture_output=True,
        text=True,
        check=True,
        env=environment | dict(variables or {}),
    )
    return [float(line) for line in done.stdout.splitlines()]


WITHIN_AND_AFTER = """
with kept_memory():
    write_and_free()
    show()
show()
write_and_free()
show()
"""


@pytest.mark.slow
@needs_glibc
@pytest.mark.parametrize("size", [64 * MIB, 2100 * MIB])
def test_freed_memory_stays_until_the_end(size: int) -> None:
    within, at_the_end, later = shares(WITHIN_AND_AFTER, size)
    assert within > 0.9
    assert at_the_end < 0.2
    assert later < 0.2


@needs_glibc
def test_it_is_returned_after_an_interruption() -> None:
    code = """
try:
    with kept_memory():
        write_and_free()
        show()
        raise KeyboardInterrupt
except KeyboardInterrupt:
    show()
"""
    within, at_the_end = shares(code)
    assert within > 0.9
    assert at_the_end < 0.2


@needs_glibc
def test_what_only_cycles_hold_is_returned_too() -> None:
    code = """
gc.disable()
with kept_memory():
    Cycle()
    show()
show()
"""
    within, at_the_end = shares(code)
    assert within > 0.9
    assert at_the_end < 0.2


@needs_glibc
@pytest.mark.parametrize(
    ("name", "value"), [("MALLOC_ARENA_MAX", "1"), ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")]
)
def test_a_configured_library_is_not_changed(name: str, value: str) -> None:
    within, *_ = shares(WITHIN_AND_AFTER, variables={name: value})
    assert within < 0.2


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_are_set_until_the_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    with pytest.raises(KeyError, match="inside"), training_variables():
        assert {each: os.environ[each] for each in VARIABLES} == VARIABLES
        raise KeyError("inside")
    assert not VARIABLES.keys() & os.environ.keys()
    monkeypatch.setenv(name, "0")
    with training_variables():
        assert {each: os.environ[each] for each in VARIABLES} == VARIABLES | {name: "0"}
    assert os.environ[name] == "0"
