"""Whether the files that a recipe names are there, before the first stage takes its time."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.addresses import DATASETS
from pipeline.data.sources import find_files
from pipeline.errors import InputError
from pipeline.recipe.keys import PATHS
from pipeline.recipe.schema import Config
from pipeline.run.stages import STAGES
from pipeline.tuning.start import KEY as START
from pipeline.tuning.start import find_start

READ_BY = {"data": "prepare", "finetune": "finetune", "bundle": "bundle"}
"""The stage that reads the files of a section. `download` looks for the preset itself: it may be an
address."""


def check_files(config: Config, until: str) -> None:
    """Check that the files exist that the stages up to one will read.

    Args:
        config: the recipe.
        until: the last stage that is to run.

    Raises:
        InputError: some do not or cannot be read, or an address is unknown; lists them with their keys.
    """
    order = list(STAGES)
    sections = [name for name, stage in READ_BY.items() if order.index(stage) <= order.index(until)]
    faults = []
    for key, source in _sources(config, sections):
        try:
            if key == START:
                find_start(Path(source))
            # What a folder holds, and data sets on a hub, are looked at by the stage that reads them.
            elif not (Path(source).is_dir() or source.startswith(DATASETS)):
                find_files([source], "train")
        except InputError as error:
            faults.append(f"{key}: {error}")
        except OSError as error:
            faults.append(f"{key}: {source}: cannot be read: {error.strerror}; check its permissions")
    if faults:
        raise InputError("\n".join(faults))


def _sources(config: Config, sections: list[str]) -> Iterator[tuple[str, str]]:
    for key in sorted(PATHS):
        section, _, name = key.partition(".")
        if section in sections:
            sources = getattr(getattr(config, section), name) or ()
            for source in (sources,) if isinstance(sources, str) else sources:
                yield key, source
