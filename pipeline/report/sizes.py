"""Facts about files, memory, time and versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import InputError
from pipeline.formats.litertlm import read_container
from pipeline.litert.memory_estimate import MemoryCost, memory_cost
from pipeline.report.results import Results
from pipeline.run.files import ADAPTER, BASE, MODEL

APP, MODEL_OUTSIDE, BASE_OUTSIDE = "app", "model outside the app", "converted base outside the app"
CONVERTED, RUNTIME_ADAPTER = "converted model", "run-time adapter"
"""What files are, in a few words."""

APP_FILES = (APP, MODEL_OUTSIDE, BASE_OUTSIDE)
"""What the phone needs: the app, and the files that are too big for it."""

MODEL_FILES = (CONVERTED, RUNTIME_ADAPTER)
"""What the phone needs before there is an app."""


@dataclass(frozen=True)
class FileFacts:
    """A file, or the files of a folder together.

    Attributes:
        what: it is, in a few words.
        path: relative to the run folder.
        bytes: its size, or the sum.
        sha256: None for a folder.
    """

    what: str
    path: str
    bytes: int
    sha256: str | None


@dataclass(frozen=True)
class Part:
    """A part of something, in bytes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class MemoryFacts:
    """The converted model's sections, and its estimated memory; both None and empty if its file cannot be
    read."""

    sections: Sequence[Part]
    cost: MemoryCost | None

    @property
    def parts(self) -> Sequence[Part]:
        """What adds up to the total."""
        if self.cost is None:
            return ()
        return (
            Part("weights", self.cost.weights),
            Part(f"KV cache for {self.cost.context_length:,} tokens", self.cost.kv_cache),
            Part("prefill", max(self.cost.prefill.values(), default=0)),
            Part("tokenizer", self.cost.tokenizer),
            Part("runtime", self.cost.runtime),
        )


@dataclass(frozen=True)
class StageFacts:
    """What a stage took; peak memory is the larger of this process's and the converter's."""

    name: str
    seconds: float
    peak_bytes: int
    finished: str


@dataclass(frozen=True)
class Versions:
    """What made the results: package versions and the machine, as the latest stage recorded them."""

    packages: Mapping[str, str]
    machine: Mapping[str, str]


def file_facts(results: Results) -> list[FileFacts]:
    """Every form of the model that is there, from the base to the app."""
    files = [_folder(results, "base, as downloaded", "download", "preset/")]
    files.append(_file(results, "adapter", "finetune", ADAPTER))
    files.append(_folder(results, "merged, for Keras", "merge", "keras/"))
    files.append(_folder(results, "merged, for Hugging Face", "merge", "huggingface/"))
    names = (
        (MODEL, CONVERTED),
        (results.files.convert.task.name, "converted model, for MediaPipe"),
        (results.files.convert.adapter.name, RUNTIME_ADAPTER),
        (BASE, "converted base, for before and after"),
    )
    files += [_file(results, what, "convert", name) for name, what in names]
    apps = [entry["name"] for entry in results.outputs("bundle") if entry["name"].endswith(".apk")]
    files += [_file(results, APP, "bundle", name) for name in apps]
    outside = ((MODEL, MODEL_OUTSIDE), (BASE, BASE_OUTSIDE))
    files += [_file(results, what, "bundle", name) for name, what in outside]
    return [file for file in files if file]


def _file(results: Results, what: str, stage: str, name: str) -> FileFacts | None:
    for entry in results.outputs(stage):
        if entry["name"] == name:
            return FileFacts(what, f"{stage}/{name}", entry["bytes"], entry["sha256"])
    return None


def _folder(results: Results, what: str, stage: str, within: str) -> FileFacts | None:
    entries = results.outputs(stage, within)
    size = sum(entry["bytes"] for entry in entries)
    return FileFacts(what, f"{stage}/{within}", size, None) if entries else None


def memory_facts(results: Results) -> MemoryFacts | None:
    """Sections and memory of the converted model; None without a result of convert."""
    if not results.has("convert"):
        return None
    model = results.files.convert.model
    try:
        sections = [Part(each.kind, each.end - each.begin) for each in read_container(model).sections]
        return MemoryFacts(sections, memory_cost(model))
    except InputError:
        return MemoryFacts((), None)


def stage_facts(results: Results) -> list[StageFacts]:
    """What each stage took, in their order."""
    return [
        StageFacts(
            name,
            manifest.document["seconds"],
            # The converter is a process of its own and has recorded its peak.
            max(manifest.document["peak_memory_bytes"], manifest.details.get("peak_memory_bytes", 0)),
            manifest.document["finished"],
        )
        for name, manifest in results.manifests.items()
    ]


def versions(results: Results) -> Versions:
    """Versions and machine of the latest stage with a result."""
    latest = list(results.manifests.values())[-1].document
    return Versions(latest["packages"], latest["machine"])
