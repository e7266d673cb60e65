"""Which modules of the package a module imports, read from the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pipeline

PACKAGE = Path(pipeline.__file__).parent
SETTINGS = "pipeline.recipe.sections."


def imported_modules(module: str) -> set[str]:
    """The modules of the package that a module needs, itself included: what it imports anywhere, and what
    those import.

    Names of modules in strings count, because some work is done by `python -m` in another process. Imports
    for type checking do not. What the sections of a recipe import does not, either: its effect is in the
    settings of a stage.
    """
    found: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        path = _path(name)
        if name in found or path is None:
            continue
        found.add(name)
        if name.startswith(SETTINGS):
            continue
        left += _named(ast.parse(path.read_text(encoding="utf-8")))
    return found


def rooms(modules: set[str]) -> set[str]:
    """The packages directly below `pipeline` that modules are in."""
    return {parts[1] for name in modules if len(parts := name.split(".")) > 2}


def _path(name: str) -> Path | None:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return next((found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file()), None)


def _named(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.ImportFrom(module=str(module)) if module.startswith("pipeline"):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Import():
                yield from (alias.name for alias in node.names if alias.name.startswith("pipeline"))
            case ast.Constant(value=str(text)) if text.startswith("pipeline."):
                yield text.rstrip(".")  # the constant part of f"pipeline.package.{name}" is the package
        yield from _named(node)
