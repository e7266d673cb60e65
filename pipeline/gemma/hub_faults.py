"""Faults of the machine and its network that look like faults of a hub: what they are, and what to do.

A retry mends none of them.
"""

import errno
import json
import os
import re
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
"""Variables that name a proxy, in the order in which a client looks for them."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

PAGE_STARTS = ("<!doctype html", "<html")
"""How a web page begins, in lower case."""

PRESET_SUFFIXES = (".json", ".h5", ".safetensors", ".model", ".spm")
"""Files of a preset, none of which is a web page."""

PAGE = (
    "a web page came instead of a file; if this network has a sign-in page, open it in a browser, then try "
    "again"
)


def home_fault() -> str | None:
    """What is wrong if there is no home folder for the clients' caches; None if there is one."""
    try:
        Path.home()
    except RuntimeError:
        return "this user has no home folder for the downloads; set HOME to a folder that can be written"
    return None


def proxy_fault() -> str | None:
    """Which variable names a proxy that no client can use; None if there is none. Its value may contain a
    password and is never shown."""
    for name in PROXIES:
        value = os.environ.get(name, "")
        if value and not _is_proxy(value):
            return f"{name} is not the address of a proxy; expected http://host:port"
    return None


def local_fault(error: BaseException, cache: str) -> str | None:
    """What a failed download says about this machine or its network, and what to do.

    Args:
        error: of requests, httpx2 or the operating system, with its causes.
        cache: the variable that sets the folder of the client's cache.

    Returns:
        None if the fault is the server's, or may be temporary.
    """
    return next((found for each in _causes(error) if (found := _fault(each, cache))), None)


def remove_web_pages(folder: Path) -> bool:
    """Whether a file of a preset is a web page; the folder is then removed, so that the client downloads it
    again.

    A network with a sign-in page answers every request with that page and status 200.
    """
    files = [path for path in folder.rglob("*") if path.suffix in PRESET_SUFFIXES and path.is_file()]
    if not any(map(_is_web_page, files)):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _is_web_page(path: Path) -> bool:
    with path.open("rb") as file:
        return _starts_as_page(file.read(64).decode("latin-1"))


def _starts_as_page(text: str) -> bool:
    return text.lstrip().lower().startswith(PAGE_STARTS)


def _is_proxy(value: str) -> bool:
    try:
        address = urlsplit(value if "://" in value else f"http://{value}")
        port = address.port
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname) and port != 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        # requests wraps the errors of urllib3 in its arguments.
        wrapped = next((each for each in following.args if isinstance(each, BaseException)), None)
        reason = getattr(wrapped, "reason", None)
        if isinstance(reason, BaseException):
            yield reason
        following = following.__cause__ or following.__context__


def _fault(error: BaseException, cache: str) -> str | None:
    import httpx2
    import requests

    if isinstance(error, json.JSONDecodeError):
        return PAGE if _starts_as_page(error.doc) else None
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "the certificate is not trusted; if this network inspects TLS, set SSL_CERT_FILE and "
            "REQUESTS_CA_BUNDLE to a file with its root certificate"
        )
    if isinstance(error, (requests.TooManyRedirects, httpx2.TooManyRedirects)):
        return "the address redirects in a loop; check HF_ENDPOINT if it is set, or try again later"
    if isinstance(error, (requests.exceptions.ProxyError, httpx2.ProxyError)) and re.search(
        r"\b407\b", str(error)
    ):
        name = next((name for name in PROXIES if os.environ.get(name)), PROXIES[0])
        return f"the proxy asks for a password; write {name}=http://user:password@host:port"
    if isinstance(error, (ValueError, ImportError, httpx2.InvalidURL)) and not isinstance(error, OSError):
        # A client that cannot read the address of a proxy, or lacks a package for its kind.
        return proxy_fault()
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return proxy_fault()
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return f"no space left for the download; free some, or set {cache} to a folder on another disk"
    if isinstance(error, OSError) and error.errno and error.filename:
        reason = (error.strerror or "").lower()
        return f"{error.filename}: {reason}; make it writable, or set {cache} to another folder"
    return None
