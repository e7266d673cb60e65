"""Whether the files that a recipe names are there, before the first stage takes its time."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError
from pipeline.recipe.reading import PATHS
from pipeline.recipe.schema import Config
from pipeline.run.stages import STAGES

READ_BY = {"data": "prepare", "bundle": "bundle"}
"""The stage that reads the files of a section. `download` looks for the preset itself: it may be an
address."""


def check_files(config: Config, until: str) -> None:
    """Check that the files exist that the stages up to one will read.

    Args:
        config: the recipe.
        until: the last stage that is to run.

    Raises:
        InputError: some do not; lists them with their keys.
    """
    order = list(STAGES)
    sections = [name for name, stage in READ_BY.items() if order.index(stage) <= order.index(until)]
    missing = [f"{path}: no such file ({key})" for key, path in _files(config, sections) if not path.exists()]
    if missing:
        raise InputError("\n".join(missing))


def _files(config: Config, sections: list[str]) -> Iterator[tuple[str, Path]]:
    for key in sorted(PATHS):
        section, _, name = key.partition(".")
        if section in sections:
            value = getattr(getattr(config, section), name)
            for path in [value] if isinstance(value, str) else value or ():
                yield key, Path(path)
