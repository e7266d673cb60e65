"""Attempts at a download: which failures may be temporary, and how long to wait before the next attempt."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.console import console
from pipeline.errors import PocketGemmaError

WAITS = (1.0, 4.0, 10.0)
"""Seconds to wait before each retry when a server or a connection fails."""

LONGEST_WAIT = 120.0
"""Seconds: a server that asks for more in Retry-After is not waited for."""


Result = TypeVar("Result")


class Transient(Exception):
    """The server or the network failed in a way that may be temporary.

    Args:
        reason: what it said.
        after: seconds that the server wants to be left alone; 0: it does not say.
    """

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(" ".join(reason.split()))
        self.after = after


def with_retries(uri: str, attempt: Callable[[], Result], what: str = "download") -> Result:
    """Call until it succeeds, with WAITS in between, as long as failures may be temporary.

    Args:
        uri: the address, for messages.
        attempt: what to do.
        what: to call it, in a word.

    Raises:
        PocketGemmaError: all attempts failed, or the server asks for a long wait.
    """
    for wait in (*WAITS, None):
        try:
            return attempt()
        except Transient as error:
            if error.after > LONGEST_WAIT:
                raise PocketGemmaError(
                    f"{uri}: the server is busy; try again in {math.ceil(error.after / 60):,} minutes"
                ) from error
            if wait is None:
                raise PocketGemmaError(
                    f"{uri}: {what} failed after {len(WAITS) + 1} attempts ({error}); "
                    "check the network and try again: completed files are kept"
                ) from error
            seconds = max(wait, error.after)
            console.print(f"  {uri}: {str(error)[:200]}; retrying in {seconds:.0f} s")
            time.sleep(seconds)
    raise AssertionError("unreachable")


def may_be_temporary(status: int | None) -> bool:
    """Whether an HTTP status (None: no response) is worth a retry."""
    return status is None or status == 429 or status >= 500


def retry_after(response: Any) -> float:
    """The seconds of a response's Retry-After; 0 if it has none, or a date."""
    value = response.headers.get("Retry-After", "") if response is not None else ""
    return float(value) if value.isdecimal() else 0.0
