"""Which model the command opens, and whether it knows conversations."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.commands.trace import run_of
from pipeline.errors import InputError
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run


@dataclass(frozen=True)
class ChosenModel:
    """A model to chat with.

    Attributes:
        file: a .litertlm or .task file.
        adapters: adapter files of its own.
        remembers_conversation: False for a model that was trained on single questions only.
    """

    file: Path
    adapters: list[Path]
    remembers_conversation: bool


def choose_model(file: Path | None, run: Path | None, recipe: Config | None) -> ChosenModel:
    """A file, or else the converted model of a run folder.

    Args:
        file: a .litertlm or .task file.
        run: the run folder; None only with a file.
        recipe: the recipe of the model; None: unknown. Then what the run folder's app was built with counts.

    Raises:
        InputError: nothing has been converted in the run folder.
    """
    adapters: list[Path] = []
    if file is None:
        assert run is not None
        file, adapters = converted_model(Run(run))
    if recipe is not None:
        return ChosenModel(file, adapters, recipe.bundle.remembers_conversation)
    folder = run or run_of(file)
    return ChosenModel(file, adapters, folder is None or _remembers_conversation(Run(folder)))


def converted_model(run: Run) -> tuple[Path, list[Path]]:
    """The converted model of a run folder, and its adapter if that is a separate file.

    Raises:
        InputError: nothing has been converted there.
    """
    run.manifest("convert")
    files = run.files.convert
    return files.model, [files.adapter] if files.adapter.is_file() else []


def _remembers_conversation(run: Run) -> bool:
    """What the app of a run folder was built with; True if there is no app."""
    try:
        settings = run.manifest("bundle").document["settings"]
    except InputError:
        return True
    return settings.get("remembers_conversation") is not False
