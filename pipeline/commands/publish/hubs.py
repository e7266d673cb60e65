"""Uploading a folder to Kaggle or Hugging Face through their own clients, with clear errors."""

import json
from collections.abc import Callable
from pathlib import Path

from pipeline.commands.publish.contents import Content
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.terms import Terms
from pipeline.gemma import hugging_face_hub, kaggle_hub
from pipeline.gemma.hub_attempts import Transient, may_be_temporary, retry_after, with_retries
from pipeline.gemma.hub_faults import home_fault, local_fault
from pipeline.gemma.hugging_face_hub import HUGGING_FACE, endpoint
from pipeline.gemma.kaggle_hub import KAGGLE

KAGGLE_FRAMEWORKS: dict[Content, str] = {
    "adapter": "transformers",
    "merged": "transformers",
    "litertlm": "tfLite",
}
"""What Kaggle calls the kind of each content."""

FORMS = f"{HUGGING_FACE}owner/name or {KAGGLE}owner/model/framework/variation"

UPLOAD = "upload"

Upload = Callable[[Path], str]
"""Uploads a folder; returns the address of its page."""


def find_hub(address: str, content: Content, terms: Terms | None, *, public: bool) -> Upload:
    """How to upload to an address.

    Args:
        address: hf://owner/name or kaggle://owner/model/framework/variation.
        content: what is uploaded.
        terms: of the weights; None: Apache License 2.0.
        public: whether everybody may see it; otherwise only the owner.

    Raises:
        InputError: no such form of an address, or one that the hub does not allow.
    """
    if address.startswith(HUGGING_FACE):
        name = address.removeprefix(HUGGING_FACE)
        if name.count("/") != 1 or not all(name.split("/")):
            raise InputError(f"--to {address}: expected {FORMS}")
        return lambda folder: with_retries(
            address, lambda: _hugging_face(address, name, folder, public), UPLOAD
        )
    if not address.startswith(KAGGLE):
        raise InputError(f"--to {address}: expected {FORMS}")
    parts = address.removeprefix(KAGGLE).split("/")
    if len(parts) != 4 or not all(parts):
        raise InputError(f"--to {address}: expected {FORMS}")
    expected = KAGGLE_FRAMEWORKS[content]
    if parts[2].lower() != expected.lower():
        raise InputError(
            f"--to {address}: {content} is of the framework {expected}, not {parts[2]}; use "
            f"{KAGGLE}{parts[0]}/{parts[1]}/{expected}/{parts[3]}"
        )
    if public:
        raise InputError(
            "--public: Kaggle creates a model that only its owner sees; publish it without the option, then "
            "change that on its page"
        )
    license_name = "Gemma" if terms else "Apache 2.0"
    return lambda folder: with_retries(address, lambda: _kaggle(address, parts, folder, license_name), UPLOAD)


def _hugging_face(address: str, name: str, folder: Path, public: bool) -> str:
    import httpx2
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    _check_home(address)
    api = HfApi(endpoint=endpoint())
    try:
        api.create_repo(name, private=not public, exist_ok=True)
        if api.repo_info(name).private == public:
            raise InputError(
                f"{address}: exists already and is {'private' if public else 'public'}; "
                f"{'remove --public' if public else 'publish with --public'}, or choose another name"
            )
        api.create_commit(
            name,
            [
                CommitOperationAdd(path.relative_to(folder).as_posix(), path)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            ],
            commit_message="Publish a fine-tune made with PocketGemma",
        )
    except errors.HFValidationError as error:
        raise InputError(f"--to {address}: not a valid Hugging Face repository name: {error}") from error
    except errors.LocalTokenNotFoundError as error:
        raise InputError(f"{address}: no access token; {hugging_face_hub.TOKEN}") from error
    except (httpx2.HTTPError, OSError, RuntimeError, json.JSONDecodeError) as error:
        raise _in_words(address, error, hugging_face_hub.CACHE, hugging_face_hub.TOKEN) from error
    return f"{endpoint() or 'https://huggingface.co'}/{name}"


def _kaggle(address: str, parts: list[str], folder: Path, license_name: str) -> str:
    import kagglehub
    import requests
    from kagglehub.exceptions import BackendError, CredentialError, UnauthenticatedError

    _check_home(address)
    try:
        kagglehub.model_upload("/".join(parts), str(folder), license_name=license_name)
    except (CredentialError, UnauthenticatedError) as error:
        raise InputError(f"{address}: no access token; {kaggle_hub.TOKEN}") from error
    except BackendError as error:
        raise PocketGemmaError(
            f"{address}: Kaggle refused the upload: {' '.join(str(error).split())}"
        ) from error
    except (requests.RequestException, OSError) as error:
        raise _in_words(address, error, kaggle_hub.CACHE, kaggle_hub.TOKEN) from error
    except ValueError as error:
        raise InputError(
            f"{address}: {error}; save a new token from https://www.kaggle.com/settings"
        ) from error
    return f"https://www.kaggle.com/models/{parts[0]}/{parts[1]}"


def _check_home(address: str) -> None:
    fault = home_fault()
    if fault:
        raise PocketGemmaError(f"{address}: {fault}")


def _in_words(address: str, error: Exception, cache: str, token: str) -> PocketGemmaError | Transient:
    """An error of a client as a user sees it."""
    cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
    response = getattr(cause, "response", None)
    status = response.status_code if response is not None else None
    if status in (401, 403):
        return InputError(f"{address}: access denied; use a token that may write for this owner: {token}")
    fault = local_fault(error, cache)
    if fault:
        return PocketGemmaError(f"{address}: {fault}")
    if may_be_temporary(status):
        return Transient(str(cause), retry_after(response))
    return PocketGemmaError(f"{address}: the upload failed: {' '.join(str(cause).split())}")
