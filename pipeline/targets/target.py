"""What the pipeline asks of a target: a kind of device that it builds an app for.

A target is a package in this folder whose module `target` defines `TARGET`. Stages and commands use it
through the protocol `Target` only, so a second target needs no change to them.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Role = Literal["model", "base", "adapter"]
Level = Literal["good", "note", "bad"]


@dataclass(frozen=True)
class Provenance:
    """How a model was made and how it scored. The app shows these facts and skips those that are None or
    empty.

    Attributes:
        description: what the model is for, in one sentence.
        base: name of the base that was fine-tuned.
        parameters: number of parameters of the base.
        data: file name of the training examples.
        examples: number of examples that the adapter was trained on.
        data_sha256: sha256 of the file of examples.
        method: of tuning, such as LoRA.
        rank: of the adapter.
        alpha: of the adapter.
        targets: short names of the matrices that the adapter changes.
        epochs: number of training epochs.
        quantization: name of the quantization recipe.
        accuracy: exact match of the converted model, 0 to 1.
        accuracy_interval: ends of its 95 % confidence interval.
        questions: number of questions that it was measured on.
        made: date of the conversion, such as 2026-01-31.
        licence: of the model and of the app.
        terms: terms of use of the base, with their address.
    """

    description: str | None = None
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
    made: str | None = None
    licence: str | None = None
    terms: str | None = None


@dataclass(frozen=True)
class BundleRequest:
    """What to build an app from.

    Attributes:
        name: name of the app's file, without its suffix.
        title: name of the app on the device, and of its model.
        model: the .litertlm that answers.
        base: the base of a merged model, for the comparison before / after; None to leave it out.
        adapters: adapter files for `model`, its own fine-tune first.
        abis: processor architectures that the app runs on, by the target's names.
        compress_libraries: compress native libraries in the app's file; the device unpacks them at
            installation.
        max_model_bytes: total size of models and adapters that the app's file may contain; larger models stay
            in files of their own.
        sample_questions: questions that an empty chat offers.
        remembers_conversation: False for a model that was trained on single questions only.
        provenance: facts about the model that the app shows.
    """

    name: str
    title: str
    model: Path
    base: Path | None = None
    adapters: Sequence[Path] = ()
    abis: Sequence[str] = ("arm64-v8a",)
    compress_libraries: bool = False
    max_model_bytes: int = 120_000_000
    sample_questions: Sequence[str] = ()
    remembers_conversation: bool = True
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True)
class BundleReport:
    """What the bundle stage records and prints about a finished app.

    Attributes:
        document: the report as JSON.
        details: for the manifest of the stage.
        summary: lines to print.
    """

    document: Mapping[str, Any]
    details: Mapping[str, Any]
    summary: Sequence[str]


@dataclass(frozen=True)
class AppFiles:
    """The files of a bundled app.

    Attributes:
        app: the file to install.
        models: models that are too large for it.
    """

    app: Path
    models: Sequence[Path]

    def relative_to(self, folder: Path) -> "AppFiles":
        """The same files as seen from a folder, so that commands which name them outlive a move of both."""
        app, *models = (Path(os.path.relpath(path, folder)) for path in (self.app, *self.models))
        return AppFiles(app, models)


@dataclass(frozen=True)
class PackagedFile:
    """A model or an adapter of an app.

    Attributes:
        role: the model that answers, its base, or an adapter.
        entry: its name in the app's file.
        declared_sha256: sha256 that the app's manifest declares; None if it does not list the file.
        actual_sha256: sha256 of the content; None if the app's file does not contain it.
    """

    role: Role
    entry: str
    declared_sha256: str | None
    actual_sha256: str | None


@dataclass(frozen=True)
class Device:
    """A connected device.

    Attributes:
        serial: identifies it.
        name: of the product.
    """

    serial: str
    name: str


@dataclass(frozen=True)
class Finding:
    """Something that `pocketgemma doctor` looked for.

    Attributes:
        level: "good"; "note" if it is optional and missing; "bad" if it is required and missing.
        name: what was looked for.
        text: what was found.
        package: the system package to install if the level is "bad".
    """

    level: Level
    name: str
    text: str
    package: str | None = None


class Target(Protocol):
    """A kind of device that the pipeline builds an app for."""

    @property
    def name(self) -> str:
        """The name to print."""

    def freshness(self) -> Mapping[str, str]:
        """What decides the app besides the request: a digest of its sources, and who signs it.

        Raises:
            InputError: the signing key is not fully specified.
        """

    def bundle(self, request: BundleRequest, folder: Path) -> BundleReport:
        """Build the app and check it.

        Args:
            request: what to build it from.
            folder: an empty folder for the files of the app.

        Raises:
            InputError: an input is unusable.
            PocketGemmaError: a tool is missing or fails, or the app does not pass a check.
        """

    def app_files(self, folder: Path, name: str) -> AppFiles:
        """The files that `bundle` wrote into a folder for an app of this name."""

    def packaged_files(self, app: Path) -> Sequence[PackagedFile]:
        """The models and adapters that an app's file declares or contains; none if the file is no app.

        Raises:
            zipfile.BadZipFile, zlib.error, EOFError: the file is damaged.
        """

    def find_device(self) -> Device | None:
        """The connected device, or None if there is none.

        Raises:
            PocketGemmaError: a device is connected but not usable, or several are.
        """

    def instructions(self, files: AppFiles) -> str:
        """How to install an app by hand: text that ends with a line break."""

    def deploy(self, device: Device, files: AppFiles) -> None:
        """Install an app on a device and open it.

        Raises:
            PocketGemmaError: the device refuses.
        """

    def doctor(self) -> Sequence[Finding]:
        """Which tools for this target are installed."""
