"""The `model` section."""

from pydantic import Field

from pipeline.recipe.section import DEMO, FilePath, Section


class ModelSection(Section):
    """Which Gemma to start from."""

    preset: FilePath = Field(
        DEMO,
        description="the base model: `demo`, the folder of a KerasHub preset or of a Hugging Face model, "
        "`kaggle://owner/model/keras/variation[/version]` or `hf://owner/name`",
    )
