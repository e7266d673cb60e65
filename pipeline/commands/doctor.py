"""Check this machine: what the pipeline needs, what is missing, and how to install it."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil
from rich.table import Table

from pipeline.console import console, styled
from pipeline.errors import PocketGemmaError
from pipeline.gemma import hugging_face_hub, kaggle_hub
from pipeline.gemma.hub_faults import home_fault, proxy_fault
from pipeline.gemma.hubs import fetch_description
from pipeline.machine import PACKAGES, available_cores, cpu_model
from pipeline.targets import load_target, target_names
from pipeline.targets.target import Finding
from pipeline.tuning.devices import choose_compute, find_accelerator

MARKS = {"good": styled(("✓", "green")), "note": styled(("–", "yellow")), "bad": styled(("✗", "red"))}
CACHES = {
    "POCKETGEMMA_CACHE": "~/.cache/pocketgemma",
    kaggle_hub.CACHE: "~/.cache/kagglehub",
    hugging_face_hub.CACHE: "~/.cache/huggingface/hub",
}
"""The variables that set the folders of downloads, and their defaults."""

FREE_DISK = 5
"""GB that a run takes."""

MEMORY = 6
"""GB that the conversion of a Gemma with 270M parameters takes."""


SAME_RELEASE = (("tensorflow", "tensorflow-text", 2), ("litert-lm", "litert-lm-api", 3))
"""Packages that are built for one another, and how many parts of their versions must be the same."""

SMALLEST_GEMMA = 268_000_000
"""Parameters of the smallest Gemma 3."""


def examine(preset: str | None = None) -> bool:
    """Print a line for each requirement; returns False if one that is not optional is missing.

    Args:
        preset: a `model.preset` whose hub is asked whether it can be downloaded; None: no network.
    """
    findings = [_system(), _python(), *_pairs(), _memory(), _disk(), _compute()]
    for name in target_names():
        findings += load_target(name).doctor()
    findings += [_downloads(), *_tokens()]
    if preset is not None:
        findings.append(_online(preset))
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _ in range(2):
        table.add_column()
    table.add_column(overflow="fold")  # a path in one piece is cut otherwise
    for finding in findings:
        table.add_row(MARKS[finding.level], finding.name, finding.text)
    console.print(table)
    packages = sorted({finding.package for finding in findings if finding.package})
    if packages:
        console.print(f"To install what is missing: sudo apt-get install -y {' '.join(packages)}")
    return not any(finding.level == "bad" for finding in findings)


def _system() -> Finding:
    system, machine = platform.system(), platform.machine()
    text = f"{system} {machine}, {cpu_model()}"
    if system == "Linux" and machine == "x86_64":
        return Finding("good", "system", text)
    return Finding("bad", "system", f"{text}: the converter supports only Linux x86_64")


def _python() -> Finding:
    version, missing = platform.python_version(), []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("bad", "Python", f"{version}; missing packages: {', '.join(missing)}; run: make setup")
    keras, runtime = metadata.version("keras"), metadata.version("litert-lm-api")
    return Finding("good", "Python", f"{version}, Keras {keras}, LiteRT-LM {runtime}")


def _pairs() -> Iterator[Finding]:
    """Packages whose versions do not go together."""
    for first, second, parts in SAME_RELEASE:
        try:
            versions = [metadata.version(name) for name in (first, second)]
        except metadata.PackageNotFoundError:
            continue
        releases = {tuple(version.split(".")[:parts]) for version in versions}
        if len(releases) > 1:
            yield Finding(
                "bad",
                "packages",
                f"{first} {versions[0]} and {second} {versions[1]} do not go together; run: make setup",
            )


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    return Finding(
        "good" if memory.available >= MEMORY * 10**9 else "note",
        "memory",
        f"{memory.available / 1e9:.0f} of {memory.total / 1e9:.0f} GB free; "
        f"converting a Gemma with 270M parameters takes about {MEMORY} GB",
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding(
        "good" if free >= FREE_DISK * 10**9 else "note", "disk", f"{free / 1e9:.0f} GB free in this folder"
    )


def _compute() -> Finding:
    accelerator, chosen = find_accelerator(), choose_compute("auto", "auto", SMALLEST_GEMMA)
    found = f"{accelerator.upper()} available" if accelerator else f"{available_cores()} processor cores"
    return Finding(
        "good", "training", f"{found}: Keras on {chosen.backend} in {chosen.dtype} ({chosen.reason})"
    )


def _downloads() -> Finding:
    """Whether downloads can be kept, and whether the network's settings can be used."""
    fault = home_fault() or proxy_fault()
    for variable, default in CACHES.items():
        folder = _folder(variable, default)
        if not fault and not _can_be_written(folder):
            fault = f"{folder} cannot be written; set {variable} to another folder"
    return Finding("note", "downloads", fault) if fault else Finding("good", "downloads", "can be kept")


def _folder(variable: str, default: str) -> Path:
    return Path(os.path.expanduser(os.environ.get(variable) or default))


def _can_be_written(folder: Path) -> bool:
    """Whether a folder can be written, or made if it is missing."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _online(preset: str) -> Finding:
    """Whether a hub gives a preset to this user."""
    if "://" not in preset:
        return Finding("good", "online", f"{preset}: needs no download")
    try:
        described = fetch_description(preset)
    except PocketGemmaError as error:
        return Finding("bad", "online", str(error))
    if described is None:
        return Finding("note", "online", f"{preset}: cannot be tried without downloading it")
    return Finding("good", "online", f"{preset}: can be downloaded, or is in the cache")


def _tokens() -> Iterator[Finding]:
    """Whether access tokens for the model hubs are set; their values are not read."""
    kaggle = "KAGGLE_KEY" in os.environ or "KAGGLE_API_TOKEN" in os.environ
    kaggle = kaggle or (_folder("KAGGLE_CONFIG_DIR", "~/.kaggle") / "kaggle.json").exists()
    hugging_face = "HF_TOKEN" in os.environ
    hugging_face = hugging_face or (_folder("HF_HOME", "~/.cache/huggingface") / "token").exists()
    for name, found in (("Kaggle", kaggle), ("Hugging Face", hugging_face)):
        if found:
            yield Finding("good", name, "access token found")
        else:
            yield Finding("note", name, "no access token; only needed to download presets from there")
