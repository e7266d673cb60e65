"""Presets and data sets from Hugging Face, through its own client."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pipeline.console import console
from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.hub_attempts import Transient, may_be_temporary, retry_after, with_retries
from pipeline.gemma.hub_faults import PAGE, home_fault, local_fault
from pipeline.gemma.presets import PATTERNS

HUGGING_FACE = "hf://"

CACHE = "HF_HUB_CACHE"
"""The variable that sets the folder of the client's cache."""

TOKEN = "set HF_TOKEN to your access token, or run: hf auth login"

DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
"""A published digest of a file."""

Kind = Literal["model", "dataset"]


def fetch_hugging_face(uri: str, patterns: Sequence[str] = PATTERNS) -> Path:
    """The folder of a preset; its name is the commit.

    Args:
        uri: hf://owner/name[@revision].
        patterns: which files.

    Raises:
        InputError: the address is malformed or unknown, or access was denied.
        PocketGemmaError: the server or the network failed repeatedly, or this machine takes no download.
    """
    name, _, revision = uri.removeprefix(HUGGING_FACE).partition("@")
    if name.count("/") != 1 or not all(name.split("/")):
        raise InputError(
            f"{uri}: expected {HUGGING_FACE}owner/name[@revision], for example "
            f"{HUGGING_FACE}google/gemma-3-270m-it"
        )
    return _snapshot(uri, name, revision or None, patterns, "model")


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
        PocketGemmaError: the server or the network failed repeatedly, or this machine takes no download.
    """
    return _snapshot(uri, name, revision, patterns, "dataset")


def _snapshot(uri: str, name: str, revision: str | None, patterns: Sequence[str], kind: Kind) -> Path:
    """Files of a repository."""
    import huggingface_hub

    fault = home_fault()
    if fault:
        raise PocketGemmaError(f"{uri}: {fault}")
    request = partial(
        huggingface_hub.snapshot_download,
        name,
        repo_type=kind,
        revision=revision,
        allow_patterns=list(patterns),
        endpoint=endpoint(),
    )
    downloaded: set[str] = set()

    def attempt() -> Path:
        with _in_words(uri, name, revision, kind):
            return _download(uri, name, kind, request, downloaded)

    return with_retries(uri, attempt)


def endpoint() -> str | None:
    """The address of the hub; None: the client's."""
    return os.environ.get("HF_ENDPOINT") or None


def _download(uri: str, name: str, kind: Kind, request: Callable[..., Any], downloaded: set[str]) -> Path:
    """Download what is missing in the cache.

    Args:
        uri: the address, for messages.
        name: owner/name.
        kind: of the repository.
        request: huggingface_hub's `snapshot_download` with its arguments.
        downloaded: gets the names of the files that are not in the cache yet; those that are in it from an
            earlier attempt are checked, too.
    """
    from huggingface_hub import errors

    try:
        files = request(dry_run=True)
    except errors.DryRunError as error:
        response = getattr(error.__cause__, "response", None)
        if response is not None and may_be_temporary(response.status_code):
            try:
                return Path(request(local_files_only=True))
            except errors.LocalEntryNotFoundError:
                raise Transient(str(error.__cause__), retry_after(response)) from error
        return Path(request())  # says what is wrong, or takes the files from the cache
    missing = [file for file in files if file.will_download]
    downloaded.update(file.filename for file in missing)
    size = sum(file.file_size or 0 for file in missing)
    if size:
        _check_space(uri, size)
    folder = Path(request())
    if downloaded:
        _check_digests(name, kind, folder, downloaded)
    return folder


def _check_space(uri: str, size: int) -> None:
    """Say how large a download is.

    Raises:
        PocketGemmaError: the disk of the cache has no room for it.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).absolute()
    free = shutil.disk_usage(next(path for path in (cache, *cache.parents) if path.exists())).free
    if size > free:
        raise PocketGemmaError(
            f"{uri}: {size / 1e6:,.0f} MB to download, but only {free / 1e6:,.0f} MB are free in {cache}; "
            f"free some, or set {CACHE} to a folder on another disk"
        )
    console.print(f"  {uri}: downloading {size / 1e6:,.1f} MB")


def _check_digests(name: str, kind: Kind, folder: Path, downloaded: set[str]) -> None:
    """Remove downloaded files whose digest is not the one that Hugging Face publishes.

    Raises:
        Transient: there were some.
    """
    import huggingface_hub

    found = huggingface_hub.HfApi(endpoint=endpoint()).verify_repo_checksums(
        name, repo_type=kind, revision=folder.name
    )
    wrong = [
        each["path"]
        for each in found.mismatches
        if each["path"] in downloaded and DIGEST.fullmatch(each["expected"])
    ]
    for path in (folder / each for each in wrong):
        path.resolve().unlink()  # the snapshot has a link to it
        path.unlink(missing_ok=True)
    if wrong:
        raise Transient(f"{wrong[0]} was damaged on the way")


@contextmanager
def _in_words(uri: str, name: str, revision: str | None, kind: Kind) -> Iterator[None]:
    """Turn the errors of huggingface_hub into those that a user sees.

    Raises:
        InputError, PocketGemmaError, Transient: as for `fetch_hugging_face`.
    """
    try:
        yield
    except (PocketGemmaError, Transient):
        raise
    except Exception as error:
        found = _error_in_words(error, uri, name, revision, kind)
        if found is None:
            raise
        raise found from error


def _error_in_words(
    error: Exception, uri: str, name: str, revision: str | None, kind: Kind
) -> PocketGemmaError | Transient | None:
    import httpx2
    from huggingface_hub import errors

    page = f"https://huggingface.co/{'datasets/' * (kind == 'dataset')}{name}"
    if isinstance(error, errors.RevisionNotFoundError):
        return InputError(f"{uri}: no revision {revision or 'main'} at {page}")
    if isinstance(error, errors.RepositoryNotFoundError):
        # Hugging Face gives the same response for a missing and for a gated repository.
        return _access_denied(uri, page, kind)
    if isinstance(error, errors.HFValidationError):
        return InputError(f"{uri}: not a valid Hugging Face repository name: {error}")
    fault = local_fault(error, CACHE)
    if fault:
        return PocketGemmaError(f"{uri}: {fault}")
    if isinstance(error, (json.JSONDecodeError, RuntimeError)):  # the latter from the client for Xet
        return Transient(str(error))
    if not isinstance(error, (httpx2.HTTPError, OSError)):
        return None
    cause = (error.__cause__ or error) if isinstance(error, errors.LocalEntryNotFoundError) else error
    response = getattr(cause, "response", None)
    status = response.status_code if response is not None else None
    if status in (401, 403):
        return _access_denied(uri, page, kind)
    if isinstance(cause, errors.FileMetadataError) and "HF_ENDPOINT" not in os.environ:
        return PocketGemmaError(f"{uri}: {PAGE}")
    lasting = isinstance(cause, (errors.OfflineModeIsEnabled, errors.FileMetadataError))
    local = isinstance(cause, OSError) and cause.errno is not None  # such as a full disk
    if may_be_temporary(status) and not lasting and not local:
        return Transient(str(cause), retry_after(response))
    return PocketGemmaError(f"{uri}: download failed: {' '.join(str(cause).split())}")


def _access_denied(uri: str, page: str, kind: Kind) -> InputError:
    what = "model; check the spelling, sign in and accept Gemma's license"
    if kind == "dataset":
        what = "data set; check the spelling, sign in and accept its terms if it has any"
    return InputError(f"{uri}: access denied, or no such {what} at {page}, then {TOKEN}")
