"""The older .task bundle (MediaPipe's LLM inference): the same model and tokenizer as the .litertlm, in a zip."""

import tempfile
import zipfile
from pathlib import Path

from pipeline import prompts
from pipeline.errors import InputError
from pipeline.litert.apart import run_apart
from pipeline.litert.container import MODEL, TOKENIZER, read_container
from pipeline.litert.tflite import IDENTIFIER

MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY = "TF_LITE_PREFILL_DECODE", "TOKENIZER_MODEL", "METADATA"
"""The entries of a text model's .task, by MediaPipe's names."""


def bundle_task(litertlm: Path, output: Path, log: Path) -> None:
    """Put the model and the tokenizer of a .litertlm into a .task.

    A .task knows no chat template, only what stands before and after each turn: a system message is not carried over.

    Args:
        litertlm: the bundle to take them from.
        output: the .task file to write.
        log: file for what the bundler prints.

    Raises:
        InputError: the .litertlm is unusable.
        PocketGemmaError: the bundler failed.
    """
    container = read_container(litertlm)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".task-") as temporary:
        model, tokenizer = Path(temporary) / "model.tflite", Path(temporary) / "tokenizer.model"
        model.write_bytes(container.read(MODEL))
        tokenizer.write_bytes(container.read(TOKENIZER))
        request = {
            "tflite_model": str(model),
            "tokenizer_model": str(tokenizer),
            "start_token": prompts.BOS,
            "stop_tokens": list(prompts.STOP_TOKENS),
            "output_filename": str(output),
            "prompt_prefix_user": prompts.USER_PREFIX,
            "prompt_suffix_user": prompts.TURN_SUFFIX,
            "prompt_prefix_model": prompts.MODEL_PREFIX,
            "prompt_suffix_model": prompts.TURN_SUFFIX,
        }
        run_apart("pipeline.litert.bundler", request, log, "bundling a .task")
    check_task_file(output)


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
