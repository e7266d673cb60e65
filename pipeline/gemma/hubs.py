"""Fetching a preset from Kaggle or Hugging Face through their own clients, and saying plainly what stood in the way.

Both clients keep what they fetched in their usual caches, so a second run folder costs no second download.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.presets import PATTERNS, example_preset

KAGGLE = "kaggle://"
HUGGING_FACE = "hf://"

WAITS = (1.0, 4.0, 10.0)
"""Seconds to wait before each new attempt when a server is unwell or a connection breaks."""

KAGGLE_FORMS = ("keras", "transformers")
"""Frameworks on Kaggle whose files are a KerasHub preset or a Hugging Face folder."""

KAGGLE_TOKEN = "into ~/.kaggle/kaggle.json, or into the environment as KAGGLE_USERNAME and KAGGLE_KEY"
HUGGING_FACE_TOKEN = "into the environment as HF_TOKEN, or run: hf auth login"


@dataclass(frozen=True)
class Fetched:
    """A preset on this machine, and exactly which version it is."""

    folder: Path
    version: str


def fetch(uri: str) -> Fetched:
    """Download a preset, or find it in the client's cache.

    Args:
        uri: kaggle://owner/model/framework/variation[/version] or hf://owner/name[@revision].

    Raises:
        InputError: the address is malformed or unknown, or access was refused (licence not accepted, no token).
        PocketGemmaError: the server or the network failed again and again.
    """
    if not console.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if uri.startswith(KAGGLE):
        return _fetch_kaggle(uri)
    if uri.startswith(HUGGING_FACE):
        return _fetch_hugging_face(uri)
    raise InputError(
        f"{uri}: presets are fetched from {KAGGLE}… or {HUGGING_FACE}…; a local folder needs no scheme"
    )


class _Unwell(Exception):
    """The server or the network failed in a way that may pass."""


def _patiently(uri: str, attempt: Callable[[], Path]) -> Path:
    """Call until it works, WAITS apart, as long as what fails may pass.

    Raises:
        PocketGemmaError: it did not pass.
    """
    for wait in (*WAITS, None):
        try:
            return attempt()
        except _Unwell as error:
            if wait is None:
                raise PocketGemmaError(
                    f"{uri}: could not be fetched in {len(WAITS) + 1} attempts ({' '.join(str(error).split())}); "
                    "check the network and try again: what has arrived is kept"
                ) from error
            console.print(
                f"  {uri}: {' '.join(str(error).split())[:200]}; trying again in {wait:.0f} s", markup=False
            )
            time.sleep(wait)
    raise AssertionError("unreachable")


def _may_pass(status: int | None) -> bool:
    """Whether an HTTP status (None: no answer at all) is worth another attempt."""
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
            f"{uri}: framework {parts[2]!r} holds no preset; expected one of {', '.join(KAGGLE_FORMS)}"
        )
    page = f"https://www.kaggle.com/models/{parts[0]}/{parts[1]}"

    import kagglehub
    import requests
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    def attempt() -> Path:
        try:
            return Path(kagglehub.model_download("/".join(parts)))
        except UnauthenticatedError as error:
            raise InputError(_refused(uri, page, KAGGLE_TOKEN)) from error
        except DataCorruptionError as error:
            raise _Unwell("a file arrived damaged") from error
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else None
            if status in (401, 403):  # Kaggle answers 403 also where there is no such model.
                raise InputError(_refused(uri, page, KAGGLE_TOKEN)) from error
            if status == 404:
                raise InputError(f"{uri}: Kaggle knows no such model or version; look at {page}") from error
            if _may_pass(status):
                raise _Unwell(str(error)) from error
            raise PocketGemmaError(f"{uri}: Kaggle answered: {' '.join(str(error).split())}") from error

    folder = _patiently(uri, attempt)
    return Fetched(folder, folder.name)


def _fetch_hugging_face(uri: str) -> Fetched:
    name, _, revision = uri.removeprefix(HUGGING_FACE).partition("@")
    if name.count("/") != 1 or not all(name.split("/")):
        raise InputError(
            f"{uri}: expected {HUGGING_FACE}owner/name[@revision], for example {HUGGING_FACE}google/gemma-3-270m-it"
        )
    page = f"https://huggingface.co/{name}"

    import httpx2
    import huggingface_hub
    from huggingface_hub import errors

    def attempt() -> Path:
        try:
            endpoint = os.environ.get("HF_ENDPOINT") or None
            return Path(
                huggingface_hub.snapshot_download(
                    name, revision=revision or None, allow_patterns=list(PATTERNS), endpoint=endpoint
                )
            )
        except errors.RevisionNotFoundError as error:
            raise InputError(f"{uri}: {page} has no revision {revision or 'main'}") from error
        except errors.RepositoryNotFoundError as error:
            # Hugging Face answers alike for what does not exist and for what needs permission.
            raise InputError(_refused(uri, page, HUGGING_FACE_TOKEN)) from error
        except errors.HFValidationError as error:
            raise InputError(f"{uri}: not a name on Hugging Face: {error}") from error
        except (httpx2.HTTPError, OSError) as error:
            cause = (
                error.__cause__
                if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__
                else error
            )
            response = getattr(cause, "response", None)
            status = response.status_code if response is not None else None
            if status in (401, 403):
                raise InputError(_refused(uri, page, HUGGING_FACE_TOKEN)) from error
            offline = isinstance(cause, errors.OfflineModeIsEnabled)
            local = isinstance(cause, OSError) and cause.errno is not None  # such as a full disk
            if _may_pass(status) and not offline and not local:
                raise _Unwell(str(cause)) from error
            raise PocketGemmaError(f"{uri}: could not be fetched: {' '.join(str(cause).split())}") from error

    folder = _patiently(uri, attempt)
    return Fetched(folder, folder.name)


def _refused(uri: str, page: str, token: str) -> str:
    return (
        f"{uri}: access refused, or no such model. Check the spelling; then, signed in, open {page} and accept Gemma's licence "
        f"there; then put your own token {token}"
    )
