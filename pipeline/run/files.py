"""The names of all files and folders inside a run folder. No other module of this package spells them.

A stage writes into a hidden working folder that is renamed when it is complete, so the files of a stage are
described relative to any folder: `ConvertFiles(work.folder).model` while it works, `run.files.convert.model`
for its published result.
"""

from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
"""What a stage records about its result, in the folder of that result."""

ADAPTER = "adapter.safetensors"
"""The trained adapter: the result of finetune."""

MODEL, BASE = "model.litertlm", "base.litertlm"
"""The converted model, and the converted base that is shipped with it. They keep their names on the phone."""


@dataclass(frozen=True)
class StageFiles:
    """The result of a stage.

    Attributes:
        folder: the published folder, or the one that the stage is working in.
    """

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST


class DownloadFiles(StageFiles):
    @property
    def preset(self) -> Path:
        """Folder: the base as a KerasHub preset or a Hugging Face folder."""
        return self.folder / "preset"


class PrepareFiles(StageFiles):
    @property
    def train(self) -> Path:
        return self.examples("train")

    @property
    def validation(self) -> Path:
        return self.examples("validation")

    @property
    def test(self) -> Path:
        """Missing without a test file."""
        return self.examples("test")

    def examples(self, split: str) -> Path:
        """The examples of one split: train, validation or test."""
        return self.folder / f"{split}.jsonl"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.json"


class FinetuneFiles(StageFiles):
    @property
    def adapter(self) -> Path:
        return self.folder / ADAPTER

    @property
    def history(self) -> Path:
        """Loss and exact match of each epoch."""
        return self.folder / "history.csv"

    @property
    def tensorboard(self) -> Path:
        """Folder: the same for TensorBoard."""
        return self.folder / "tensorboard"


class MergeFiles(StageFiles):
    @property
    def keras(self) -> Path:
        """Folder: the merged model as a KerasHub preset."""
        return self.folder / "keras"

    @property
    def huggingface(self) -> Path:
        """Folder: the merged model in Hugging Face's format."""
        return self.folder / "huggingface"

    @property
    def proof(self) -> Path:
        """The largest deviation of each merged matrix from W0 + scale * A @ B."""
        return self.folder / "proof.json"


class ConvertFiles(StageFiles):
    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def base(self) -> Path:
        """The converted base; only if the recipe asks for it."""
        return self.folder / BASE

    @property
    def task(self) -> Path:
        """The model as a .task file; only if the recipe asks for it."""
        return self.folder / "model.task"

    @property
    def adapter(self) -> Path:
        """The adapter for the runtime; only if it stays a separate file."""
        return self.folder / "adapter.tflite"


class VerifyFiles(StageFiles):
    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def report_markdown(self) -> Path:
        return self.folder / "report.md"

    @property
    def answers(self) -> Path:
        """Every answer of both sides, one on a line."""
        return self.folder / "answers.jsonl"

    @property
    def base_answers(self) -> Path:
        """Answers of the base, without the adapter, to some of the questions, one on a line."""
        return self.folder / "base_answers.jsonl"


class BundleFiles(StageFiles):
    def apk(self, name: str) -> Path:
        """The signed app.

        Args:
            name: the name in the recipe.
        """
        return self.folder / f"{name}.apk"

    @property
    def apks(self) -> list[Path]:
        """The signed apps that are there: one if the stage has run."""
        return sorted(self.folder.glob("*.apk"))

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def model(self) -> Path:
        """The model; only if it is too big for the APK."""
        return self.folder / MODEL

    @property
    def base(self) -> Path:
        """The converted base; only if it is too big for the APK."""
        return self.folder / BASE


class DeployFiles(StageFiles):
    @property
    def instructions(self) -> Path:
        return self.folder / "INSTALL.txt"


@dataclass(frozen=True)
class LogFiles:
    """Where stages leave what you may want to read even after they failed. No stage reads it."""

    folder: Path

    @property
    def convert(self) -> Path:
        return self.folder / "convert.log"

    @property
    def task(self) -> Path:
        return self.folder / "task.log"

    @property
    def rounding(self) -> Path:
        return self.folder / "rounding.log"

    @property
    def rounded(self) -> Path:
        """Calibrated matrices on their way from the process that rounds them to convert."""
        return self.folder / "rounded.safetensors"

    def added(self, stage: str) -> Path:
        """Folder: files that someone added to a stage's result, from before it was replaced."""
        return self.folder / "added" / stage

    def unpublished(self, stage: str) -> Path:
        """Folder: a stage's finished work that could not be published."""
        return self.folder / "unpublished" / stage

    @property
    def refused(self) -> VerifyFiles:
        """The report of a model that verify refused."""
        return VerifyFiles(self.folder / "verify")

    @property
    def refused_conversion(self) -> Path:
        """The digest of the manifest of convert when verify refused the model. With another conversion, the
        report of the refused model is out of date."""
        return self.refused.folder / "convert.sha256"


@dataclass(frozen=True)
class RunFiles:
    """The layout of a run folder.

    Attributes:
        root: the run folder.
    """

    root: Path

    def stage(self, name: str) -> StageFiles:
        """The published result of a stage."""
        return StageFiles(self.root / name)

    def working(self, stage: str) -> Path:
        """Folder: the result of a stage that is at work."""
        return self.root / f".{stage}.working"

    def replaced(self, stage: str) -> Path:
        """Folder: the earlier result of a stage while the new one takes its place."""
        return self.root / f".{stage}.old"

    @property
    def digests(self) -> Path:
        """The cache of file digests."""
        return self.root / ".digests.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.root / "report.html"

    @property
    def model_card(self) -> Path:
        """The model card of the merged model: README.md in its repository on the Hugging Face Hub."""
        return self.root / "model-card.md"

    @property
    def checkpoints(self) -> Path:
        """Folder: the checkpoints of a training that is not finished."""
        return self.root / "checkpoints"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def download(self) -> DownloadFiles:
        return DownloadFiles(self.root / "download")

    @property
    def prepare(self) -> PrepareFiles:
        return PrepareFiles(self.root / "prepare")

    @property
    def finetune(self) -> FinetuneFiles:
        return FinetuneFiles(self.root / "finetune")

    @property
    def merge(self) -> MergeFiles:
        return MergeFiles(self.root / "merge")

    @property
    def convert(self) -> ConvertFiles:
        return ConvertFiles(self.root / "convert")

    @property
    def verify(self) -> VerifyFiles:
        return VerifyFiles(self.root / "verify")

    @property
    def bundle(self) -> BundleFiles:
        return BundleFiles(self.root / "bundle")

    @property
    def deploy(self) -> DeployFiles:
        return DeployFiles(self.root / "deploy")

    @property
    def logs(self) -> LogFiles:
        return LogFiles(self.root / "logs")
