"""Everything that the page and the model card say about a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.addresses import DATASETS
from pipeline.families.registry import read_family
from pipeline.families.terms import Terms
from pipeline.gemma.hugging_face_hub import HUGGING_FACE
from pipeline.report.checks import ComparisonFacts, MergeFacts, comparison_facts, merge_facts
from pipeline.report.results import Results
from pipeline.report.sizes import (
    APP,
    APP_FILES,
    MODEL_FILES,
    FileFacts,
    MemoryFacts,
    StageFacts,
    Versions,
    file_facts,
    memory_facts,
    stage_facts,
    versions,
)
from pipeline.report.training import DataFacts, TrainingFacts, data_facts, training_facts


@dataclass(frozen=True)
class BaseFacts:
    """The base.

    Attributes:
        name: its address, or the name of a folder or file.
        version: as the hub names it; empty if there is none.
        family: short name.
        parameters: how many; None if they are not recorded.
        terms: of the weights; None: Apache License 2.0.
    """

    name: str
    version: str
    family: str
    parameters: int | None
    terms: Terms | None

    @property
    def hub_name(self) -> str | None:
        """owner/name on the Hugging Face Hub; None for a base from elsewhere."""
        if not self.name.startswith(HUGGING_FACE):
            return None
        return self.name.removeprefix(HUGGING_FACE).partition("@")[0]


@dataclass(frozen=True)
class Facts:
    """A run. A part whose stage has no current result is None.

    Attributes:
        name: of the recipe, or of the run folder before convert has recorded it.
        date: of the latest result, ISO 8601.
        missing: why a stage has no current result, by stage.
    """

    name: str
    date: str
    missing: Mapping[str, str]
    base: BaseFacts | None
    data: DataFacts | None
    training: TrainingFacts | None
    merge: MergeFacts | None
    memory: MemoryFacts | None
    comparison: ComparisonFacts | None
    stages: Sequence[StageFacts]
    files: Sequence[FileFacts]
    versions: Versions

    @property
    def has_card(self) -> bool:
        """Whether there is a merged model, and everything that its model card says of its origin."""
        return bool(self.merge and self.base and self.training)

    @property
    def refused(self) -> bool:
        """Whether verify refused the converted model."""
        return self.comparison is not None and self.comparison.refused

    @property
    def products(self) -> list[FileFacts]:
        """The files to put on the phone; none before convert, and for a model that verify refused."""
        if self.refused:
            return []
        found = {file.what: file for file in self.files}
        names = APP_FILES if APP in found else MODEL_FILES
        return [found[name] for name in names if name in found]

    @property
    def hub_datasets(self) -> list[str]:
        """owner/name of the data sets on the Hugging Face Hub that the model was trained on."""
        files = self.data.files if self.data else ()
        addresses = [
            source.removeprefix(DATASETS).strip("/").split("/")
            for file in files
            if file.name in ("train", "replay")
            for source in file.sources
            if source.startswith(DATASETS)
        ]
        return list(dict.fromkeys("/".join(parts[:2]).partition("@")[0] for parts in addresses))


def gather(root: Path) -> Facts:
    """The facts about a run folder.

    Raises:
        InputError: no stage has a result there, or what a stage wrote is missing or damaged.
    """
    results = Results.of(root)
    stages = stage_facts(results)
    return Facts(
        name=results.settings("convert").get("name") or root.resolve().name,
        date=max(stage.finished for stage in stages),
        missing=results.missing,
        base=_base(results),
        data=data_facts(results),
        training=training_facts(results),
        merge=merge_facts(results),
        memory=memory_facts(results),
        comparison=comparison_facts(results),
        stages=stages,
        files=file_facts(results),
        versions=versions(results),
    )


def _base(results: Results) -> BaseFacts | None:
    if not results.has("download"):
        return None
    details = results.details("download")
    family = read_family(results.files.download.preset)
    return BaseFacts(
        details.get("preset", family.name),
        details.get("version", ""),
        family.name,
        details.get("parameters"),
        # Earlier versions recorded no terms: those of the family then.
        family.terms if details.get("terms", True) else None,
    )
