"""What the road needs on this machine: what is here, what is missing, and how to get it."""

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import psutil
from rich.table import Table

from pipeline.console import console
from pipeline.machine import PACKAGES as PYTHON_PACKAGES
from pipeline.machine import cpu_flags, cpu_model
from pipeline.targets.android.tools import PACKAGES, find_tool, missing_tools
from pipeline.tuning.devices import BFLOAT16_FLAGS, find_accelerator

GOOD, NOTE, BAD = "[green]✓[/]", "[yellow]–[/]", "[red]✗[/]"
FREE_DISK = 5
MEMORY = 6


def examine() -> bool:
    """Print one line for each thing that matters; False when something that the road needs is missing."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    rows = [_system(), _python(), *_resources(), _compute(), *_tools(), _phone(), *_tokens()]
    for mark, name, text in rows:
        table.add_row(mark, name, text)
    console.print(table)
    missing = missing_tools()
    if missing:
        console.print(
            f"To build the app: sudo apt-get install -y {' '.join(sorted(set(missing.values())))}",
            markup=False,
        )
    return not any(mark == BAD for mark, _, _ in rows)


def _system() -> tuple[str, str, str]:
    system, machine = platform.system(), platform.machine()
    supported = system == "Linux" and machine == "x86_64"
    text = f"{system} {machine}, {cpu_model()}"
    return (
        (GOOD, "system", text)
        if supported
        else (BAD, "system", f"{text}: the converter has builds for Linux x86_64 only")
    )


def _python() -> tuple[str, str, str]:
    missing = []
    for name in PYTHON_PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return BAD, "Python", f"{platform.python_version()}; missing: {', '.join(missing)}; run: make setup"
    return (
        GOOD,
        "Python",
        f"{platform.python_version()}, Keras {metadata.version('keras')}, LiteRT-LM {metadata.version('litert-lm')}",
    )


def _resources() -> list[tuple[str, str, str]]:
    memory = psutil.virtual_memory()
    free = shutil.disk_usage(Path.cwd()).free
    enough = memory.available >= MEMORY * 10**9
    return [
        (
            GOOD if enough else NOTE,
            "memory",
            f"{memory.available / 1e9:.0f} of {memory.total / 1e9:.0f} GB free; a 270M Gemma converts in about {MEMORY} GB",
        ),
        (GOOD if free >= FREE_DISK * 10**9 else NOTE, "disk", f"{free / 1e9:.0f} GB free here"),
    ]


def _compute() -> tuple[str, str, str]:
    accelerator = find_accelerator()
    if accelerator:
        return GOOD, "training", f"{accelerator.upper()} found"
    bfloat16 = any(flag in cpu_flags() for flag in BFLOAT16_FLAGS)
    return (
        GOOD,
        "training",
        f"{os.cpu_count()} processor cores, {'with' if bfloat16 else 'without'} bfloat16 arithmetic",
    )


def _tools() -> list[tuple[str, str, str]]:
    missing = missing_tools()
    return [
        (BAD, name, f"missing; Debian and Ubuntu package {missing[name]}")
        if name in missing
        else (GOOD, name, str(find_tool(name)))
        for name in PACKAGES
    ]


def _phone() -> tuple[str, str, str]:
    adb = shutil.which("adb")
    return (
        (GOOD, "adb", adb)
        if adb
        else (NOTE, "adb", "not installed; only needed to install over a cable (package adb)")
    )


def _tokens() -> list[tuple[str, str, str]]:
    """Whether the hubs' tokens are set; never their values."""
    kaggle = (
        "KAGGLE_KEY" in os.environ
        or "KAGGLE_API_TOKEN" in os.environ
        or (Path.home() / ".kaggle" / "kaggle.json").exists()
    )
    hugging_face = "HF_TOKEN" in os.environ or (Path.home() / ".cache" / "huggingface" / "token").exists()
    return [
        (
            GOOD if found else NOTE,
            name,
            "token found" if found else "no token; only needed for presets from there",
        )
        for name, found in (("Kaggle", kaggle), ("Hugging Face", hugging_face))
    ]
