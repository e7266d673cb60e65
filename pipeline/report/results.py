"""The results in a run folder that belong together.

A stage that ran again leaves the results of later stages in the folder, although they were made from its
earlier result. They say nothing about the present one, so they count as missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.foreign import read_json_object
from pipeline.run.files import RunFiles, VerifyFiles
from pipeline.run.lineage import recorded
from pipeline.run.manifest import Manifest
from pipeline.run.stages import STAGES


@dataclass(frozen=True)
class Results:
    """The results of a run folder.

    Attributes:
        files: of the run folder.
        manifests: of the stages whose results are current, in the order of the stages.
        missing: why there is no current result, for each other stage, in a few words.
    """

    files: RunFiles
    manifests: Mapping[str, Manifest]
    missing: Mapping[str, str]

    @classmethod
    def of(cls, root: Path) -> "Results":
        """Read the manifests of a run folder.

        Raises:
            InputError: no stage has a result there.
        """
        manifests: dict[str, Manifest] = {}
        missing: dict[str, str] = {}
        for stage in STAGES:
            manifest = recorded(root, stage)
            if isinstance(manifest, str):
                missing[stage] = manifest
                continue
            earlier = [
                before
                for before, digest in manifest.document["previous"].items()
                if (before in manifests and manifests[before].digest != digest)
                or (before in missing and RunFiles(root).stage(before).manifest.exists())
            ]
            if earlier:
                missing[stage] = f"the result of {stage} was made from an earlier result of {earlier[0]}"
            else:
                manifests[stage] = manifest
        if not manifests:
            raise InputError(
                f"{root}: contains no results; choose a run folder with --run, or run: pocketgemma run"
            )
        return cls(RunFiles(root), manifests, missing)

    def has(self, stage: str) -> bool:
        return stage in self.manifests

    def settings(self, stage: str) -> Mapping[str, Any]:
        """The recorded settings of a stage; empty without a result."""
        return self.manifests[stage].document["settings"] if self.has(stage) else {}

    def details(self, stage: str) -> Mapping[str, Any]:
        """The recorded details of a stage; empty without a result."""
        return self.manifests[stage].details if self.has(stage) else {}

    def inputs(self, stage: str) -> list[Mapping[str, Any]]:
        """Name, size and digest of the files that a stage read besides the results of earlier stages."""
        return self.manifests[stage].document["inputs"] if self.has(stage) else []

    def outputs(self, stage: str, within: str = "") -> list[Mapping[str, Any]]:
        """Name, size and digest of the files of a stage, or of those in one of its folders."""
        entries = self.manifests[stage].document["outputs"] if self.has(stage) else []
        return [entry for entry in entries if entry["name"].startswith(within)]

    @property
    def refused(self) -> bool:
        """Whether verify refused the current conversion."""
        try:
            digest = self.files.logs.refused_conversion.read_text(encoding="ascii")
        except OSError:
            return False
        return self.has("convert") and digest == self.manifests["convert"].digest

    @property
    def comparison(self) -> VerifyFiles | None:
        """The files of the comparison of the current conversion, whether accepted or refused; None: there is
        none."""
        if self.refused:
            return self.files.logs.refused
        return self.files.verify if self.has("verify") else None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a stage.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        return read_json_object(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run the stage again with --force") from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects in a file of a stage, one on a line; none if there is no file.

    Raises:
        InputError: a line is damaged.
    """
    if not path.is_file():
        return []
    try:
        # Not splitlines: texts may contain other line separators, such as U+2028.
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); run the stage again with --force") from None
