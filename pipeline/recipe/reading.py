"""Reading a recipe: a YAML file, and values from the command line on top of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import InputError
from pipeline.recipe.errors import explain
from pipeline.recipe.schema import SECTIONS, Config
from pipeline.recipe.section import resolve


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a recipe and apply `key.path=value` overrides; values are read as YAML.

    Relative paths in the recipe start at its folder, those in overrides at the current folder.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown or a value is unusable; names the file
            and the key.
    """
    document = _read(path)
    for override in overrides:
        _apply(document, override)
    try:
        return Config.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise InputError(explain(path, error)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe; the included recipes are in configs/") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {_problem(error)}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: expected sections such as 'model:' and 'data:', found a {type(document).__name__}"
        )
    return document


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong, with its line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return " ".join(str(error).split())


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key may occur once: the last one would win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} occurs twice; remove one", key.start_mark
                )
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise InputError(f"--set {override}: expected key.path=value, for example --set finetune.rank=16")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {override}: the value is not valid YAML; quote it") from None
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        value = text.strip()  # a title such as "Ask: science", not a section
    if ".".join(parts) in PATHS:
        value = [_from_here(each) for each in value] if isinstance(value, list) else _from_here(value)
    section = document
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise InputError(f"--set {override}: {part} is not a section")
    section[parts[-1]] = value


def _from_here(value: Any) -> Any:
    return resolve(value, Path.cwd()) if isinstance(value, str) else value


def _path_keys() -> frozenset[str]:
    """The keys of the schema that name files or folders."""
    return frozenset(
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key, schema in section.model_json_schema()["properties"].items()
        if _is_path(schema)
    )


def _is_path(schema: Mapping[str, Any]) -> bool:
    parts = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    return schema.get("format") == "path" or any(map(_is_path, parts))


PATHS = _path_keys()
