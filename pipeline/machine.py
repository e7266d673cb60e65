"""Facts about this machine: the processor, installed packages, and the memory of a process."""

import os
import platform
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGES = (
    "pocketgemma", "numpy", "keras", "keras-hub", "jax", "torch", "tensorflow", "transformers",
    "sentencepiece", "safetensors",
    "litert-torch", "litert-converter", "ai-edge-litert", "ai-edge-quantizer", "litert-lm", "litert-lm-api",
    "litert-lm-builder", "mediapipe",
)  # fmt: skip
"""The packages whose version can change a result."""


def package_versions() -> dict[str, str]:
    """The installed version of each of PACKAGES; missing ones are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def cpu_flags() -> frozenset[str]:
    """The flags of the instruction set, as the Linux kernel names them; empty on other systems."""
    return frozenset(_cpu_field("flags", "Features").split())


@cache
def cpu_model() -> str:
    """The name of the processor."""
    return _cpu_field("model name") or platform.processor()


@cache
def is_intel() -> bool:
    """Whether the processor is one of Intel's."""
    return "GenuineIntel" in (_cpu_field("vendor_id") or platform.processor())


def _cpu_field(*names: str) -> str:
    """What the Linux kernel says of the first processor; empty on other systems and if it does not say it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    line = next((line for line in text.splitlines() if line.startswith(names)), "")
    return line.partition(":")[2].strip()


def available_cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, str]:
    """Processor, system and Python. The runtime computes the same bits only with the same version on the same
    processor model."""
    return {
        "processor": cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


class PeakMemory:
    """The peak resident memory of this process inside a `with` block, in bytes.

    On Linux, the kernel's high-water mark is reset on entry. On other systems, the value is the peak since
    the process started.
    """

    peak_bytes = 0

    def __enter__(self) -> Self:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.peak_bytes = high_water_mark() or _largest_so_far()


def _largest_so_far() -> int:
    """The peak resident memory of this process since it started, in bytes; 0 if Python does not know it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def resident_memory() -> int:
    """The memory of this process that is resident now, in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def keep_freed_memory() -> None:
    """Make glibc reuse the memory of freed arrays of some megabytes.

    By default, glibc returns large blocks to the kernel and gets new pages, filled with zeros, for the next
    ones. That took four fifths of the time of rounding a matrix. After a large block has been freed once,
    glibc keeps blocks up to that size (up to 32 MiB; mallopt(3), M_MMAP_THRESHOLD). On other systems this has
    no effect.
    """
    import numpy as np

    np.empty(24 << 20, np.uint8)


def high_water_mark(process: int | str = "self") -> int:
    """The peak resident memory of a process so far, in bytes; 0 if the kernel does not report it or the
    process has ended.

    `ru_maxrss` does not work here: in a child process it starts with the memory of the parent.
    """
    try:
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
