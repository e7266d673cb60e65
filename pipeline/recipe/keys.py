"""The keys of a recipe by the kind of their value, from the schema."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.recipe.schema import Config
from pipeline.recipe.section import Section


def _keys(wanted: Callable[[Mapping[str, Any]], bool]) -> frozenset[str]:
    return frozenset(key for key, schema in _schemas(Config, "") if wanted(schema))


def _schemas(section: type[Section], above: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key with its dots, and its JSON schema."""
    properties = section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _schemas(field.annotation, f"{above}{name}.")
        else:
            yield above + name, properties[name]


def _is_path(schema: Mapping[str, Any]) -> bool:
    parts = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    return schema.get("format") == "path" or any(map(_is_path, parts))


def _is_text(schema: Mapping[str, Any]) -> bool:
    return {part.get("type") for part in schema.get("anyOf", [schema])} <= {"string", "null"}


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(part.get("type") == "null" for part in schema.get("anyOf", ()))


PATHS = _keys(_is_path)
"""The keys that name files or folders."""

TEXTS = _keys(_is_text)
"""The keys whose value is text, never a list or a number."""

OPTIONAL = _keys(_may_be_null)
"""The keys that can be null."""
