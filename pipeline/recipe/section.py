"""What the sections of a recipe are made of: strict models, paths, and values from a registry."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

DEMO = "demo"
"""The preset that comes with the package: a tiny Gemma 3 that knows the periodic table."""

UNKNOWN_NAME = "unknown_name"
"""The type of the validation error of `OneOf`; its context lists the known names as `names`."""


class Section(BaseModel):
    """Keys with types and defaults. Unknown keys are refused, so that no misspelled key is silently
    ignored; so are numbers that are infinite or NaN. An entry that a list repeats counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _without_repetitions(cls, value: Any) -> Any:
        return tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class OneOf:
    """Restricts a string to the names of a registry."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Collection[str]) -> "OneOf":
        return cls(tuple(names))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"enum": list(self.names)}

    def _check(self, name: str) -> str:
        if name not in self.names:
            raise PydanticCustomError(UNKNOWN_NAME, "not a known name", {"names": list(self.names)})
        return name


def sorted_by(key: Callable[[Any], Any]) -> AfterValidator:
    """Sorts a list whose order means nothing, so that the same entries in another order are the same
    setting."""
    return AfterValidator(lambda values: tuple(sorted(values, key=key)))


class _Resolved:
    """Makes a relative path absolute against the folder of the recipe; leaves addresses and `demo` as they
    are."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(_resolve, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"format": "path"}


def _resolve(path: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", Path.cwd())
    return resolve(path, Path(folder))


def resolve(path: str, folder: Path) -> str:
    """A path as it is meant when written in a file of `folder`."""
    if path == DEMO or "://" in path:
        return path
    return str((folder / Path(path).expanduser()).resolve())


FilePath = Annotated[str, _Resolved()]
"""The path of a file or folder, absolute once it is read."""

FilePaths = Annotated[
    tuple[FilePath, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(min_length=1),
]
"""One path or a list of them."""

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
