"""From a .litertlm to a .task: MediaPipe's bundler writes the metadata, the model and the tokenizer are
copied."""

import tempfile
import zipfile
from pathlib import Path

from pipeline.families.chat import ChatFormat
from pipeline.formats.litertlm import TOKENIZER, read_container
from pipeline.formats.task import METADATA_ENTRY, write_task_file
from pipeline.formats.tflite import IDENTIFIER
from pipeline.isolation import run_isolated


def write_task(litertlm: Path, output: Path, log: Path) -> None:
    """Write the model and the tokenizer of a .litertlm as a .task; equal input gives equal bytes.

    `pipeline.formats.task.LEFT_OUT` lists what of the .litertlm a .task cannot hold.

    Args:
        litertlm: the model file to copy from.
        output: the .task file to write.
        log: file for the output of MediaPipe's bundler.

    Raises:
        InputError: the .litertlm is unusable.
        PocketGemmaError: MediaPipe's bundler failed.
    """
    container = read_container(litertlm)
    metadata = _metadata(container.read(TOKENIZER), output.parent, log, container.chat_format())
    write_task_file(output, container, metadata)


def _metadata(tokenizer: bytes, folder: Path, log: Path, chat: ChatFormat) -> bytes:
    """The entry that MediaPipe's bundler writes for start and stop tokens and the text around a turn.

    The bundler reads a whole model to copy it: it gets a few bytes instead.
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
