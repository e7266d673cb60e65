"""The manifest that describes the app's models: assets/manifest.json. This module is the only one that writes
its keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.targets.target import Provenance

FORMAT = 2
"""Version of the document, raised when a key changes its meaning or moves. Format 1 had no base, no adapters
and no data."""


@dataclass(frozen=True)
class ModelFacts:
    """A .litertlm file.

    Attributes:
        bytes: its size.
        sha256: of the file.
        memory_bytes: memory of the phone that the open model takes, as `pipeline.litert.memory_estimate`
            estimates it.
        adapter_rank: rank of the adapters that it takes at run time; None if it takes none.
        base_digest: digest of the preset that those adapters must belong to.
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
        name: of the adapter.
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
    """What the app needs to know about its models, and what it shows about them. What is None or empty is
    left out of the document.

    Attributes:
        name: of the app and of its model.
        model: the file that answers. If it takes adapters, it is the base, and the first of `adapters` is the
            fine-tune.
        base_model: the base of a merged model, for the comparison before / after.
        adapters: the adapters in the APK.
        remembers_conversation: False for a model that was trained on single questions only; the app then
            starts a new conversation with each question.
        provenance: how the model was made and how it scored.
        runtime: name and version of the runtime in the app.
    """

    name: str
    model: ModelFacts
    base_model: ModelFacts | None = None
    adapters: Sequence[AdapterFacts] = ()
    remembers_conversation: bool = True
    provenance: Provenance = field(default_factory=Provenance)
    runtime: str | None = None

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        facts = self.provenance
        low, high = facts.accuracy_interval or (None, None)
        return _known(
            {
                "format": FORMAT,
                "name": self.name,
                "description": facts.description,
                "model": _known(asdict(self.model)),
                "base_model": _known(asdict(self.base_model)) if self.base_model else None,
                "adapters": [asdict(adapter) for adapter in self.adapters],
                "remembers_conversation": self.remembers_conversation,
                "base": _known({"name": facts.base, "parameters": facts.parameters}),
                "data": _known({"name": facts.data, "examples": facts.examples, "sha256": facts.data_sha256}),
                "tuning": _known(
                    {
                        "method": facts.method,
                        "rank": facts.rank,
                        "alpha": facts.alpha,
                        "targets": list(facts.targets),
                        "epochs": facts.epochs,
                    }
                ),
                "quantization": facts.quantization,
                "check": _known(
                    {
                        "accuracy": facts.accuracy,
                        "accuracy_low": low,
                        "accuracy_high": high,
                        "questions": facts.questions,
                    }
                ),
                "runtime": self.runtime,
                "made": facts.made,
                "licence": facts.licence,
                "terms": facts.terms,
            }
        )


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value not in ({}, [])}
