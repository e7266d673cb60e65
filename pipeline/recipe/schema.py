"""The typed configuration of a run: the only home of defaults.

A recipe is a YAML file under configs/ with the sections below. docs/configuration.md is written from this
schema.
"""

import re

from pydantic import Field, field_validator, model_validator

from pipeline.recipe.rules import RULES
from pipeline.recipe.section import Section
from pipeline.recipe.sections.bundle import BundleSection
from pipeline.recipe.sections.convert import ConvertSection
from pipeline.recipe.sections.data import DataSection
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.recipe.sections.merge import MergeSection
from pipeline.recipe.sections.model import ModelSection
from pipeline.recipe.sections.verify import VerifySection

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Config(Section):
    """A recipe, read and checked."""

    name: str = Field(
        description="the name of the recipe, of its run folder and of the APK: at most 64 letters, digits, "
        "dots, hyphens and underscores"
    )
    model: ModelSection = ModelSection()
    data: DataSection
    finetune: FinetuneSection = FinetuneSection()
    merge: MergeSection = MergeSection()
    convert: ConvertSection = ConvertSection()
    verify: VerifySection = VerifySection()
    bundle: BundleSection = BundleSection()

    @property
    def carries_base(self) -> bool:
        """Whether the converted base is a separate file, included for comparison before and after."""
        return self.bundle.base and self.convert.adapters == "merged"

    @field_validator("name")
    @classmethod
    def _usable_in_paths(cls, name: str) -> str:
        if re.fullmatch(NAME, name) is None:
            raise ValueError(
                "expected at most 64 letters, digits, dots, hyphens and underscores, the first a letter or "
                "digit; "
                f"got {name!r}"
            )
        return name

    @model_validator(mode="after")
    def _keep_rules(self) -> "Config":
        broken = [message for rule in RULES if (message := rule(self))]
        if broken:
            raise ValueError("\n".join(broken))
        return self


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
"""The sections of a recipe by name."""
