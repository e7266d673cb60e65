"""Asking the user to accept the terms of a model's weights, where no hub asks."""

import os
import sys

from rich.prompt import Confirm

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.families.terms import Terms

VARIABLE = "POCKETGEMMA_ACCEPT_GEMMA_TERMS"
"""Accepts the terms without being asked, when set to `yes`."""


def require_acceptance(terms: Terms, what: str) -> None:
    """Return if the user accepts the terms: by VARIABLE, or by answering in a terminal.

    Args:
        terms: of the weights.
        what: what is about to be downloaded, for the question.

    Raises:
        InputError: the user declines, or there is no terminal to ask in.
    """
    console.print(f"  {what}: the weights are provided under the {terms.name}: {terms.address}")
    if os.environ.get(VARIABLE) == "yes":
        console.print(f"  accepted by {VARIABLE}=yes")
        return
    if not (sys.stdin.isatty() and console.is_terminal):
        raise InputError(
            f"{what}: read the {terms.name} at {terms.address}; to accept them, set {VARIABLE}=yes"
        )
    if not Confirm.ask("  Do you accept them?", console=console, default=False):
        raise InputError(f"{what}: the {terms.name} were not accepted; nothing was downloaded")
