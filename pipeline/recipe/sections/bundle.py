"""The `bundle` section."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.recipe.paths import FilePath
from pipeline.recipe.section import OneOf, Section
from pipeline.targets import DEFAULT, target_names


class BundleSection(Section):
    """The app that contains the model."""

    target: Annotated[str, OneOf.of(target_names())] = Field(
        DEFAULT, description="the kind of device to build an app for"
    )
    title: str = Field(
        "PocketGemma", min_length=1, max_length=30, description="the name of the app and of the model in it"
    )
    abis: tuple[Literal["arm64-v8a", "x86_64"], ...] = Field(
        ("arm64-v8a",),
        min_length=1,
        description="the processor architectures that the app supports; phones use arm64-v8a",
    )
    compress_libraries: bool = Field(
        False,
        description="`false`: native libraries are stored in the APK and mapped from it; `true`: they are "
        "compressed and the phone unpacks them, for a smaller download that takes up more storage on the "
        "phone",
    )
    max_model_mb: int = Field(
        120,
        ge=1,
        le=2000,
        description="how many MB (10**6 bytes) of models and adapters the APK may contain; if they do not "
        "fit, first the model and then "
        "the base become separate files that `deploy` copies to the phone",
    )
    base: bool = Field(
        False,
        description="also include the converted base, to compare answers before and after fine-tuning; with "
        "`convert.adapters: runtime` the model is the base, so this has no effect",
    )
    adapters: tuple[FilePath, ...] = Field(
        (), description="additional adapter files (.tflite) for the same base"
    )
    sample_questions: tuple[str, ...] = Field(
        (),
        description="questions that the app offers in an empty chat; without them, some test questions are "
        "used",
    )
    remembers_conversation: bool = Field(
        True,
        description="`false` for a model that was trained on single questions: the app and "
        "`pocketgemma chat` then start each question without the earlier ones",
    )
