"""What this machine is: its processor, the packages at work, and how much memory a stage took."""

import platform
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Self

# The packages whose version can change a result.
PACKAGES = (
    "pocketgemma", "numpy", "keras", "keras-hub", "jax", "torch", "tensorflow", "transformers", "sentencepiece", "safetensors",
    "litert-torch", "litert-converter", "ai-edge-litert", "ai-edge-quantizer", "litert-lm", "litert-lm-builder", "mediapipe",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Installed version of each package that can change a result; missing ones are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction set flags as the Linux kernel names them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())


@cache
def cpu_model() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def describe_machine() -> dict[str, str]:
    """Processor, system and Python: the runtime's numbers are the same to the bit only on one version and one processor model."""
    return {
        "processor": cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


class PeakMemory:
    """Highest resident memory of this process between entering and leaving, in bytes.

    On Linux the kernel's high-water mark is reset on entry; elsewhere it is that of the whole process.
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
    """Highest resident memory of this process since it began, in bytes; 0 where Python cannot tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def keep_freed_memory() -> None:
    """Let arrays of some megabytes that are made and dropped over and over have the same memory each time.

    glibc hands large blocks back to the kernel when they are freed, and takes new pages, filled with zeros, for the next: that was four
    fifths of the time of rounding a matrix. It stops doing so for blocks up to the size of the largest that was ever freed (up to
    32 MiB; mallopt(3), M_MMAP_THRESHOLD). Elsewhere this has no effect.
    """
    import numpy as np

    np.empty(24 << 20, np.uint8)


def high_water_mark(process: int | str = "self") -> int:
    """Highest resident memory of a process so far, in bytes; 0 where the kernel does not tell, or it has ended.

    Not `ru_maxrss`: that of a child begins with what its parent held.
    """
    try:
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
