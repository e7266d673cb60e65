"""The terms under which the weights of a family are distributed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """Terms of use that bind whoever uses or passes on the weights.

    Attributes:
        name: of the document.
        hub_license: the license identifier of the Hugging Face Hub.
        address: where it is published.
        notice: the sentence that must accompany copies and derivatives of the weights.
    """

    name: str
    hub_license: str
    address: str
    notice: str


GEMMA_TERMS = Terms(
    name="Gemma Terms of Use",
    hub_license="gemma",
    address="https://ai.google.dev/gemma/terms",
    notice="Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms.",
)
"""For Gemma 1, 2 and 3. Section 3.1 asks for the notice; from Gemma 4 on, the license is Apache-2.0."""
