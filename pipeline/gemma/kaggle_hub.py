"""Presets from Kaggle, through its own client."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.hub_attempts import Transient, may_be_temporary, retry_after, with_retries
from pipeline.gemma.hub_faults import PAGE, home_fault, local_fault, remove_web_pages
from pipeline.gemma.presets import example_preset

KAGGLE = "kaggle://"

CACHE = "KAGGLEHUB_CACHE"
"""The variable that sets the folder of the client's cache."""

FORMS = ("keras", "transformers")
"""Kaggle frameworks whose files form a KerasHub preset or a Hugging Face folder."""

TOKEN = "put your API token into ~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and KAGGLE_KEY"


def fetch_kaggle(uri: str, files: Sequence[str] = ()) -> Path:
    """The folder of a preset; its name is the version.

    Args:
        uri: kaggle://owner/model/framework/variation[/version].
        files: which files; all if none are named.

    Raises:
        InputError: the address is malformed or unknown, or access was denied.
        PocketGemmaError: the server or the network failed repeatedly, or this machine takes no download.
    """
    parts = uri.removeprefix(KAGGLE).split("/")
    if len(parts) not in (4, 5) or not all(parts) or (len(parts) == 5 and not parts[4].isdigit()):
        raise InputError(
            f"{uri}: expected {KAGGLE}owner/model/framework/variation[/version], "
            f"for example {example_preset()}"
        )
    if parts[2].lower() not in FORMS:
        raise InputError(
            f"{uri}: framework {parts[2]!r} does not provide presets; expected one of {', '.join(FORMS)}"
        )
    fault = home_fault()
    if fault:
        raise PocketGemmaError(f"{uri}: {fault}")
    found = {file: with_retries(uri, partial(_attempt, uri, parts, file)) for file in files or (None,)}
    file, path = next(iter(found.items()))
    folder = path.parents[file.count("/")] if file else path
    if remove_web_pages(folder):
        raise PocketGemmaError(f"{uri}: {PAGE}")
    return folder


def _attempt(uri: str, parts: Sequence[str], file: str | None) -> Path:
    import kagglehub
    import requests
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    page = f"https://www.kaggle.com/models/{parts[0]}/{parts[1]}"
    denied = (
        f"{uri}: access denied, or no such model; check the spelling, sign in and accept Gemma's license at "
        f"{page}, then {TOKEN}"
    )
    try:
        return Path(kagglehub.model_download("/".join(parts), file))
    except UnauthenticatedError as error:
        raise InputError(denied) from error
    except DataCorruptionError as error:
        raise Transient("a downloaded file is corrupt") from error
    except (requests.RequestException, OSError, ValueError, ImportError) as error:
        if type(error) is ValueError and "credentials file" in str(error):
            raise InputError(
                f"{uri}: {error}; save a new one from https://www.kaggle.com/settings"
            ) from error
        if type(error) is ValueError and "archive type" in str(error):
            raise PocketGemmaError(f"{uri}: {PAGE}") from error
        fault = local_fault(error, CACHE)
        if fault:
            raise PocketGemmaError(f"{uri}: {fault}") from error
        if not isinstance(error, requests.RequestException):
            raise
        response = error.response
        status = response.status_code if response is not None else None
        if status in (401, 403):  # Kaggle also answers 403 if there is no such model.
            raise InputError(denied) from error
        if status == 404:
            raise InputError(f"{uri}: no such model or version on Kaggle; see {page}") from error
        if may_be_temporary(status):
            raise Transient(str(error), retry_after(response)) from error
        raise PocketGemmaError(f"{uri}: Kaggle responded: {' '.join(str(error).split())}") from error
