"""Paths in a recipe: what can be none is refused while the recipe is read, with its key."""

import errno
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from pipeline.recipe.section import DEMO, unexpected

SHOWN = 40
"""Characters of a path in the message that it is too long."""


def resolve(path: str, folder: Path) -> str:
    """A path as it is meant when written in a file of `folder`.

    Raises:
        ValueError: no file can have this path.
    """
    if path == DEMO or "://" in path:
        return path
    if not path.strip():
        raise ValueError(f"expected a path, got {path!r}; name a file or folder, or remove the key")
    if "\0" in path:
        raise ValueError(f"a path cannot contain a NUL character, got {path!r}; remove it")
    try:
        found = (folder / _expanded(path)).resolve()
        found.lstat()
    except UnicodeError:
        raise ValueError(f"invalid characters in the path {path!r}; rename the file") from None
    except RuntimeError:
        raise ValueError(f"{path}: contains a symbolic link loop; fix the links") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError(f"{path[:SHOWN]}…: file name too long; shorten it") from None
        # Whether it exists and can be read is looked at before the first stage.
    return str(found)


def _expanded(path: str) -> Path:
    if not path.startswith("~"):
        return Path(path)
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{path}: no such user {Path(path).parts[0][1:]!r}; for a name that begins with ~, write ./{path}"
        ) from None


class _Resolved:
    """Makes a relative path absolute against the folder of the recipe; leaves addresses and `demo` as they
    are."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(_resolve, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"format": "path"}


def _resolve(path: Any, info: ValidationInfo) -> str:
    if not isinstance(path, str):
        raise unexpected("a path", path)
    folder = (info.context or {}).get("folder", Path.cwd())
    return resolve(path, Path(folder))


def _listed(paths: Any) -> Any:
    if not isinstance(paths, str | list | tuple):
        raise unexpected("a path or a list of paths", paths)
    return (paths,) if isinstance(paths, str) else paths


FilePath = Annotated[str, _Resolved()]
"""The path of a file or folder, absolute once it is read."""

FilePaths = Annotated[tuple[FilePath, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One path or a list of them."""
