"""What can be read from a model file before the runtime opens it."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.families.registry import chat_of_template
from pipeline.formats.litertlm import read_container
from pipeline.formats.task import check_task_file


def is_task(model: Path) -> bool:
    """Whether a model file is a .task; its content decides, not its name."""
    with model.open("rb") as file:
        return file.read(2) == b"PK"


def chat_format_of(model: Path) -> ChatFormat:
    """The chat format of the template in a model file; a .task, which holds none, has the default."""
    if is_task(model):
        return chat_of_template(None)
    return read_container(model).chat_format()


def check_model_file(model: Path) -> None:
    """Check that a model file is complete before the runtime, which does not check what it reads, opens it.

    Raises:
        InputError: the file is missing, not a .litertlm or .task, truncated or damaged.
    """
    if model.exists() and not model.is_file():
        raise InputError(f"{model}: is not a regular file; expected a .litertlm or .task file")
    if model.is_file() and is_task(model):
        check_task_file(model)
    else:
        read_container(model)


def with_its_suffix(model: Path, folder: Path) -> Path:
    """A path to a model file whose suffix is that of its content: the runtime goes by the suffix alone.

    Args:
        model: a .litertlm or .task file of any name.
        folder: for a link to it, if it has another suffix.
    """
    suffix = ".task" if is_task(model) else ".litertlm"
    if model.suffix == suffix:
        return model
    link = folder / f"{model.stem}{suffix}"
    link.symlink_to(model.resolve())
    return link


def context_length_of(model: Path) -> int | None:
    """The tokens that a conversation can have; None if the file does not specify it."""
    if is_task(model):
        return None
    return read_container(model).llm_metadata().max_tokens
