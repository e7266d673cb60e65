"""The `data` section."""

import codecs
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.data.layout import fields
from pipeline.data.policy import ColumnNames, Loss, RowPolicy
from pipeline.recipe.paths import FilePaths
from pipeline.recipe.section import Section, Share


class ColumnsSection(Section):
    """Columns of the examples by what they are, where their names are not known. A path such as
    `answers.text` leads into a column of objects."""

    prompt: str | None = None
    response: str | None = None
    system: str | None = None
    messages: str | None = None


class DataSection(Section):
    """The examples. Files can be JSON, CSV or Parquet, with prompt and response columns or with chat
    messages; docs/data.md shows each form. Each of `train`, `validation`, `test` and `replay` is a file, a
    pattern such as `part-*.jsonl`, a folder, `hf://datasets/owner/name`, or a list of these."""

    train: FilePaths = Field(description="the training examples")
    columns: ColumnsSection = Field(
        ColumnsSection(),
        description="the columns to use: `{prompt: text, response: category}`; also `system` and `messages`",
    )
    template: str | None = Field(
        None, description="the prompt with columns in braces, for example `Classify: {text}`"
    )
    encoding: str | None = Field(
        None, description="the text encoding of the files, such as `cp1252`; by default, UTF-8 or UTF-16"
    )
    validation: FilePaths | None = Field(
        None,
        description="examples for validation after each epoch; without this file, a share of `train` is "
        "split off",
    )
    validation_share: Share = Field(
        0.05,
        description="the share of `train` that becomes validation data when there is no validation file; "
        "with `0`, training goes through all epochs and the last one is kept",
    )
    test: FilePaths | None = Field(
        None, description="held-out questions, which `verify` asks the converted model"
    )
    replay: FilePaths | None = Field(
        None,
        description="examples of what the base can already do, mixed into the training data so that the "
        "model does not forget it",
    )
    replay_share: Share = Field(
        0.33, description="the share of the training examples that come from `replay`"
    )
    loss: Loss = Field(
        "all_assistant_turns",
        description="which answers of a multi-turn conversation the model is trained on: all except those "
        "excluded by a flag, or only the last one",
    )
    max_length: int = Field(
        512,
        ge=8,
        le=32768,
        description="the maximum length of an example in tokens, including prompt, response and turn markers",
    )
    too_long: Literal["refuse", "drop", "truncate"] = Field(
        "refuse", description="what to do with a longer example; `truncate` shortens its response"
    )
    duplicates: Literal["refuse", "drop", "keep"] = Field(
        "drop",
        description="what to do with a row that has the same turns as an earlier row and trains on the same "
        "ones",
    )
    missing: Literal["refuse", "drop", "keep"] = Field(
        "refuse",
        description="what to do with a row whose prompt or response is empty or a missing-value marker such "
        "as `nan`; `keep` treats such markers as text",
    )

    @field_validator("template")
    @classmethod
    def _template_is_valid(cls, template: str | None) -> str | None:
        if template is not None and not fields(template):
            raise ValueError("names no column; write one in braces, for example 'Classify: {text}'")
        return template

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, encoding: str | None) -> str | None:
        if encoding is None:
            return None
        try:
            "a".encode(encoding)  # Some codecs are not of text, such as base64.
            return codecs.lookup(encoding).name
        except (LookupError, UnicodeError, ValueError):
            raise ValueError(f"unknown encoding {encoding!r}; for example utf-8, utf-16, cp1252") from None

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if self.template and (self.columns.prompt or self.columns.messages):
            raise ValueError("template and columns.prompt or columns.messages exclude each other; remove one")
        return self

    @property
    def policy(self) -> RowPolicy:
        """How rows are read."""
        columns = ColumnNames(**self.columns.model_dump(), template=self.template)
        return RowPolicy(
            self.max_length,
            self.too_long,
            self.duplicates,
            self.missing,
            self.encoding,
            columns,
            self.loss,
        )
