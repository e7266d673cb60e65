"""Kinds of devices that the pipeline builds an app for, each in a package of its own."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.targets.target import Target

DEFAULT = "android"


def load_target(name: str) -> "Target":
    """The target in the package of this name; imported only now, because its modules are not needed by every
    command."""
    target: Target = import_module(f"pipeline.targets.{name}.target").TARGET
    return target


def target_names() -> list[str]:
    """The packages that define a target."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/target.py"))
