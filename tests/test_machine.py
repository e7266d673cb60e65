import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from pipeline import machine
from pipeline.machine import (
    PeakMemory,
    cpu_flags,
    cpu_model,
    describe_machine,
    high_water_mark,
    package_versions,
)

LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")


def test_versions_are_those_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    assert package_versions() == {"numpy": metadata.version("numpy")}


@LINUX
def test_the_processor_has_a_name_and_flags() -> None:
    assert cpu_model()
    assert describe_machine() == {
        "processor": cpu_model(),
        "system": f"Linux {platform.machine()}",
        "python": platform.python_version(),
    }
    if platform.machine() == "x86_64":
        assert "sse2" in cpu_flags()


@pytest.mark.parametrize(
    ("vendor", "intel"), [("GenuineIntel", True), ("AuthenticAMD", False), ("HygonGenuine", False)]
)
def test_the_vendor_of_the_processor(vendor: str, intel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In /proc/cpuinfo on Linux, in the description of the processor on Windows."""
    text = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: Some CPU\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert machine.is_intel.__wrapped__() is intel
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "")
    monkeypatch.setattr(platform, "processor", lambda: f"Intel64 Family 6, {vendor}")
    assert machine.is_intel.__wrapped__() is intel


@LINUX
def test_the_peak_is_measured_inside_the_block_only() -> None:
    large = np.ones(200_000_000, np.uint8)
    del large
    with PeakMemory() as without:
        pass
    with PeakMemory() as memory:
        large = np.ones(200_000_000, np.uint8)
        del large
    assert memory.peak_bytes - without.peak_bytes > 150_000_000


@LINUX
def test_the_peak_of_a_process_is_zero_if_it_has_ended() -> None:
    assert high_water_mark(os.getpid()) > 1_000_000
    assert high_water_mark(Path("/proc/sys/kernel/pid_max").read_text().strip()) == 0
