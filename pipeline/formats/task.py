"""The older .task bundle (MediaPipe's LLM inference): the same model and tokenizer as the .litertlm, in a zip."""

import tempfile
import zipfile
from pathlib import Path

from pipeline.digests import sha256_of_stream
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.formats.aligned_zip import add_bytes, add_file
from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.formats.tflite import IDENTIFIER
from pipeline.isolation import run_isolated

MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY = "TF_LITE_PREFILL_DECODE", "TOKENIZER_MODEL", "METADATA"
"""The entries of a text model's .task, by MediaPipe's names."""

LEFT_OUT = (
    "a .task has no place for a system message, the sampler, the context length or the description, does not trim a turn's white "
    "space, and leaves out the line break after its own replies in a conversation that goes on"
)
"""What a .litertlm says that a .task cannot, as LiteRT-LM 0.18 reads both. One question is the same tokens in either."""

ALIGNMENT = 16 * 1024
"""The model begins at a multiple of this, as in a .litertlm, so that its pages can be mapped; MediaPipe's own bundler takes 4."""


def bundle_task(litertlm: Path, output: Path, log: Path) -> None:
    """Put the model and the tokenizer of a .litertlm into a .task, piece by piece; equal input gives equal bytes.

    `LEFT_OUT` says what of the .litertlm is not carried over.

    Args:
        litertlm: the bundle to take them from.
        output: the .task file to write.
        log: file for what MediaPipe's bundler prints.

    Raises:
        InputError: the .litertlm is unusable.
        PocketGemmaError: MediaPipe's bundler failed.
    """
    container = read_container(litertlm)
    model, tokenizer = container.section(MODEL), container.section(TOKENIZER)
    chat = container.chat_format()
    metadata = _metadata(container.read(TOKENIZER), output.parent, log, chat)
    with zipfile.ZipFile(output, "w") as archive:
        add_file(archive, MODEL_ENTRY, litertlm, model.begin, model.end, alignment=ALIGNMENT)
        add_file(archive, TOKENIZER_ENTRY, litertlm, tokenizer.begin, tokenizer.end)
        add_bytes(archive, METADATA_ENTRY, metadata)
    check_task_file(output)


def different_entries(task: Path, litertlm: Path) -> list[str]:
    """Which of model and tokenizer in a .task are not those of a .litertlm, to the byte.

    Raises:
        InputError: one of the files is unusable.
    """
    check_task_file(task)
    container, different = read_container(litertlm), []
    with zipfile.ZipFile(task) as archive, litertlm.open("rb") as file:
        for name, kind in ((MODEL_ENTRY, MODEL), (TOKENIZER_ENTRY, TOKENIZER)):
            section = container.section(kind)
            file.seek(section.begin)
            with archive.open(name) as entry:
                if sha256_of_stream(entry) != sha256_of_stream(file, section.end - section.begin):
                    different.append("model" if kind == MODEL else "tokenizer")
    return different


def check_task_file(path: Path) -> None:
    """See that a .task is a whole zip with a model and a tokenizer in it.

    Raises:
        InputError: missing, truncated, damaged or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = {MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY} - names
            if missing:
                raise InputError(
                    f"{path}: not a language model's .task: it lacks {', '.join(sorted(missing))}; convert it again"
                )
            with archive.open(MODEL_ENTRY) as model:
                start = model.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; expected a .task file") from None
    except zipfile.BadZipFile:
        raise InputError(
            f"{path}: not a .task file, or truncated: the end of the zip is missing; copy or convert it again"
        ) from None
    if start[4:8] != IDENTIFIER:
        raise InputError(f"{path}: the model in it is no .tflite; convert it again")


def _metadata(tokenizer: bytes, folder: Path, log: Path, chat: ChatFormat) -> bytes:
    """The entry that MediaPipe's bundler writes for start and stop tokens and what stands around a turn.

    It reads a model whole, to copy it: it is given a few bytes instead.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".task-") as temporary:
        work = Path(temporary)
        (work / "model.tflite").write_bytes(IDENTIFIER)
        (work / "tokenizer.model").write_bytes(tokenizer)
        request = {
            "tflite_model": str(work / "model.tflite"),
            "tokenizer_model": str(work / "tokenizer.model"),
            "start_token": chat.bos,
            "stop_tokens": list(chat.stop_tokens),
            "output_filename": str(work / "small.task"),
            "prompt_prefix_user": chat.user_prefix,
            "prompt_suffix_user": chat.turn_suffix,
            "prompt_prefix_model": chat.model_prefix,
            "prompt_suffix_model": chat.turn_suffix,
        }
        run_isolated("pipeline.litert.convert.task_worker", request, log, "bundling a .task")
        with zipfile.ZipFile(work / "small.task") as archive:
            return archive.read(METADATA_ENTRY)
