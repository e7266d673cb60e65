"""What the app tells about its model: assets/manifest.json, read by ModelManifest.kt. The only home of its keys on this side."""

from dataclasses import dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class AppManifest:
    """Facts about a model in the words that a person reads. What is None or empty is left out, and the app then says nothing of it."""

    name: str
    # Of the .litertlm file, in bytes.
    model_bytes: int
    model_sha256: str
    description: str | None = None
    # False when the model was taught single questions only: the app then starts each one afresh.
    remembers_conversation: bool = True
    base: str | None = None
    parameters: int | None = None
    quantization: str | None = None
    runtime: str | None = None
    # A date, as in 2026-01-31.
    made: str | None = None
    licence: str | None = None
    method: str | None = None
    rank: int | None = None
    alpha: float | None = None
    targets: tuple[str, ...] = field(default=())
    # How many examples it was fine-tuned on.
    examples: int | None = None
    # Share of `questions` test questions that the converted model answered exactly right, 0 to 1.
    accuracy: float | None = None
    questions: int | None = None

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return _known(
            {
                "format": FORMAT,
                "name": self.name,
                "description": self.description,
                "model": {"bytes": self.model_bytes, "sha256": self.model_sha256},
                "remembers_conversation": self.remembers_conversation,
                "base": _known({"name": self.base, "parameters": self.parameters}),
                "tuning": _known(
                    {
                        "method": self.method,
                        "rank": self.rank,
                        "alpha": self.alpha,
                        "targets": list(self.targets),
                        "examples": self.examples,
                    }
                ),
                "quantization": self.quantization,
                "check": _known({"accuracy": self.accuracy, "questions": self.questions}),
                "runtime": self.runtime,
                "made": self.made,
                "licence": self.licence,
            }
        )


def _known(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value not in ({}, [])}
