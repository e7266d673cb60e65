"""Stages and commands use a target only through its protocol, so that a second target is one more package."""

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import targets
from pipeline.recipe.sections.bundle import BundleSection
from pipeline.targets import load_target, target_names

PIPELINE = Path(targets.__file__).parents[1]
ANDROID = "pipeline.targets.android"


def imported(source: str) -> Iterator[str]:
    """Every module or member that a source imports, by its full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)


def test_only_inspect_imports_android_directly() -> None:
    importing = {
        path.relative_to(PIPELINE).parts[0]
        for path in PIPELINE.rglob("*.py")
        if not path.is_relative_to(PIPELINE / "targets" / "android")
        if any(f"{name}.".startswith(f"{ANDROID}.") for name in imported(path.read_text(encoding="utf-8")))
    }
    assert importing == {"inspect"}


@pytest.mark.parametrize(
    "source",
    [
        "from pipeline.targets import android",
        "from pipeline.targets.android import tools",
        "def f():\n    from pipeline.targets.android.tools import find_tool",
        "import pipeline.targets.android.tools",
    ],
)
def test_every_way_of_importing_is_found(source: str) -> None:
    assert any(f"{name}.".startswith(f"{ANDROID}.") for name in imported(source))


def test_every_target_loads_by_its_name() -> None:
    packages = {module.name for module in pkgutil.iter_modules(targets.__path__) if module.ispkg}
    assert set(target_names()) == packages
    assert len({load_target(name).name for name in packages}) == len(packages)
    assert load_target("android").name == "Android"
    assert load_target(BundleSection().target) is load_target("android")


def test_a_target_loads_without_the_heavy_packages() -> None:
    """Doctor must run on a machine on which they are missing."""
    code = (
        "import sys; from pipeline.targets import load_target; load_target('android'); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
