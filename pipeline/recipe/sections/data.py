"""The `data` section."""

from typing import Literal

from pydantic import Field

from pipeline.recipe.section import FilePath, Section, Share


class DataSection(Section):
    """The examples. Files can be .jsonl, .csv or .parquet, with prompt and response columns or with chat
    messages."""

    train: FilePath = Field(description="the training examples")
    validation: FilePath | None = Field(
        None,
        description="examples for the validation after each epoch; without this file, a share of `train` is "
        "split off",
    )
    validation_share: Share = Field(
        0.05,
        description="the share of `train` that becomes validation data when there is no validation file; "
        "with `0`, training goes through all epochs and the last one is kept",
    )
    test: FilePath | None = Field(
        None, description="questions that are never trained on; `verify` asks the converted model these"
    )
    replay: FilePath | None = Field(
        None,
        description="examples of what the base can already do, mixed into the training data so that the "
        "model does not forget it",
    )
    replay_share: Share = Field(
        0.33, description="the share of the training examples that come from `replay`"
    )
    max_length: int = Field(
        512,
        ge=8,
        le=32768,
        description="the longest example, in tokens; prompt, response and turn markers count",
    )
    too_long: Literal["refuse", "drop", "truncate"] = Field(
        "refuse", description="what to do with a longer example; `truncate` shortens its response"
    )
    duplicates: Literal["refuse", "drop", "keep"] = Field(
        "drop", description="what to do with a row whose turns equal those of an earlier row"
    )
