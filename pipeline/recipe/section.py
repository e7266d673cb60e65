"""What the sections of a recipe are made of: strict models, and values from a registry."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
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

UNEXPECTED = "unexpected"
"""The type of the validation error of `unexpected`."""

NUMBERS = {int: "a whole number", float: "a number"}

SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Of the numbers that float32 holds in full precision."""


def unexpected(expected: str, found: Any) -> PydanticCustomError:
    """A validation error; its context has what was expected, in words, and what was found."""
    return PydanticCustomError(UNEXPECTED, "not as expected", {"expected": expected, "found": found})


class Section(BaseModel):
    """Keys with types and defaults. Unknown keys are refused, so that no misspelled key is silently
    ignored; so are truth values for numbers, and numbers that are infinite, NaN, or beyond float32, in which
    everything is computed. An entry that a list repeats counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic takes true for 1."""
        types = set(_types(cls.model_fields[str(info.field_name)].annotation))
        number = next((words for kind, words in NUMBERS.items() if kind in types), None)
        if number and bool not in types:
            for each in value if isinstance(value, list | tuple) else (value,):
                if isinstance(each, bool):
                    raise unexpected(number, each)
        return value

    @field_validator("*")
    @classmethod
    def _fits_float32(cls, value: Any) -> Any:
        if not isinstance(value, float) or value == 0:
            return value
        if abs(value) > LARGEST:
            raise unexpected(f"{LARGEST:.2g} or less, the largest number in float32", value)
        if abs(value) < SMALLEST:
            raise unexpected(f"{SMALLEST:.2g} or more, the smallest number in float32", value)
        return value

    @field_validator("*")
    @classmethod
    def _without_repetitions(cls, value: Any) -> Any:
        return tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value


def _types(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    parts = () if get_origin(annotation) is Literal else get_args(annotation)
    for part in parts:
        yield from _types(part)
    if not parts:
        yield annotation


@dataclass(frozen=True)
class OneOf:
    """Restricts a string to the names of a registry.

    Attributes:
        names: of the registry.
        others: names that the key also takes, because they are turned into those of the registry before.
    """

    names: tuple[str, ...]
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Collection[str], others: Collection[str] = ()) -> "OneOf":
        return cls(tuple(names), tuple(others))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"enum": list(self.names)}

    def _check(self, name: str) -> str:
        if name not in self.names:
            names = list(dict.fromkeys((*self.names, *self.others)))
            raise PydanticCustomError(UNKNOWN_NAME, "not a known name", {"names": names})
        return name


def sorted_by(key: Callable[[Any], Any]) -> AfterValidator:
    """Sorts a list whose order means nothing, so that the same entries in another order are the same
    setting."""
    return AfterValidator(lambda values: tuple(sorted(values, key=key)))


Share = Annotated[float, Field(ge=0.0, lt=1.0)]
