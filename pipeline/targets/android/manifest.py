"""What the app tells about its models: assets/manifest.json, read by ModelManifest.kt. The only home of its keys on this side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 2
"""Of the document: raised when a key changes its meaning or its place. Format 1 had no base, no adapters and no data of its own."""


@dataclass(frozen=True)
class ModelFacts:
    """A .litertlm file.

    Attributes:
        bytes: its size.
        sha256: of the file.
        memory_bytes: what it takes of a phone's memory when it is open, as `pipeline.litert.memory_estimate` estimates it.
        adapter_rank: rank of the adapters that it takes at run time; None when it takes none.
        base_digest: digest of the preset that those adapters must name.
    """

    bytes: int
    sha256: str
    memory_bytes: int | None = None
    adapter_rank: int | None = None
    base_digest: str | None = None


@dataclass(frozen=True)
class AdapterFacts:
    """An adapter file in the APK.

    Attributes:
        sha256: of the file.
        name: what the adapter is called.
        bytes: its size.
        rank: of its tensors.
        base_digest: digest of the preset that it was trained on.
    """

    sha256: str
    name: str
    bytes: int
    rank: int
    base_digest: str


@dataclass(frozen=True)
class AppManifest:
    """Facts about a model in the words that a person reads. What is None or empty is left out, and the app then says nothing of it.

    Attributes:
        name: of the app and of the model in it.
        model: the file that answers. When it takes adapters it is the base, and the first of `adapters` is the fine-tune.
        base_model: the base of a merged model, brought along for before / after.
        remembers_conversation: False when the model was taught single questions only: the app then starts each one afresh.
        base: name of the base that was fine-tuned; parameters: numbers in it.
        data: name of the file of examples; examples: how many were trained on; data_sha256: of that file.
        accuracy: share of `questions` test questions that the converted model answered exactly right, 0 to 1.
        accuracy_interval: its 95 % confidence interval.
        made: a date, as in 2026-01-31.
        licence: of the model and of the app; terms: whose terms of use also hold, in a sentence with its address.
    """

    name: str
    model: ModelFacts
    base_model: ModelFacts | None = None
    adapters: Sequence[AdapterFacts] = ()
    description: str | None = None
    remembers_conversation: bool = True
    base: str | None = None
    parameters: int | None = None
    data: str | None = None
    examples: int | None = None
    data_sha256: str | None = None
    method: str | None = None
    rank: int | None = None
    alpha: float | None = None
    targets: Sequence[str] = ()
    epochs: int | None = None
    quantization: str | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    questions: int | None = None
    runtime: str | None = None
    made: str | None = None
    licence: str | None = None
    terms: str | None = None

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        low, high = self.accuracy_interval or (None, None)
        return _known(
            {
                "format": FORMAT,
                "name": self.name,
                "description": self.description,
                "model": _known(asdict(self.model)),
                "base_model": _known(asdict(self.base_model)) if self.base_model else None,
                "adapters": [asdict(adapter) for adapter in self.adapters],
                "remembers_conversation": self.remembers_conversation,
                "base": _known({"name": self.base, "parameters": self.parameters}),
                "data": _known({"name": self.data, "examples": self.examples, "sha256": self.data_sha256}),
                "tuning": _known(
                    {
                        "method": self.method,
                        "rank": self.rank,
                        "alpha": self.alpha,
                        "targets": list(self.targets),
                        "epochs": self.epochs,
                    }
                ),
                "quantization": self.quantization,
                "check": _known(
                    {
                        "accuracy": self.accuracy,
                        "accuracy_low": low,
                        "accuracy_high": high,
                        "questions": self.questions,
                    }
                ),
                "runtime": self.runtime,
                "made": self.made,
                "licence": self.licence,
                "terms": self.terms,
            }
        )


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value not in ({}, [])}
