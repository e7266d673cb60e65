"""The .task format of MediaPipe's LLM inference: the same model and tokenizer as in a .litertlm, in a zip.

Field numbers of the METADATA entry, MediaPipe's LlmParameters message: mediapipe,
tasks/cc/genai/inference/proto/llm_params.proto and prompt_template.proto.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.digests import sha256_of_stream
from pipeline.errors import InputError
from pipeline.formats.aligned_zip import add_bytes, add_file
from pipeline.formats.litertlm import MODEL, TOKENIZER, Container, read_container
from pipeline.formats.protobuf import ERRORS, fields
from pipeline.formats.tflite import IDENTIFIER

MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY = "TF_LITE_PREFILL_DECODE", "TOKENIZER_MODEL", "METADATA"
"""The entries of a text model's .task, by MediaPipe's names."""

START_ID, STOP_TOKENS, START_TOKEN, TEMPLATES = 4, 5, 6, 17
"""Fields of LlmParameters."""

PREFIX, SUFFIX = 2, 3
"""Fields of a prompt template."""

ROLES = {1: "user", 2: "model", 3: "system"}

LEFT_OUT = (
    "a .task cannot store a system message, the sampler, the context length or the description, does not "
    "trim whitespace around a turn, and omits the line break after its own replies in a longer conversation"
)
"""What a .litertlm declares and a .task cannot, as LiteRT-LM 0.18 reads both. A single question gives the
same tokens in both."""

ALIGNMENT = 16 * 1024
"""The model begins at a multiple of this, as in a .litertlm, so that its pages can be mapped; MediaPipe's own
bundler uses 4."""


@dataclass(frozen=True)
class TaskMetadata:
    """Start and stop tokens as text, and what stands before and after a turn, by role."""

    start: str | int | None = None
    stops: tuple[str, ...] = ()
    turns: dict[str, tuple[str, str]] = field(default_factory=dict)


def write_task_file(output: Path, container: Container, metadata: bytes) -> None:
    """Write the model and the tokenizer of a .litertlm as a .task, piece by piece; equal input gives equal
    bytes.

    Args:
        output: the .task file to write.
        container: the .litertlm.
        metadata: the content of the METADATA entry.

    Raises:
        InputError: the .litertlm has no model or no tokenizer.
    """
    model, tokenizer = container.section(MODEL), container.section(TOKENIZER)
    with zipfile.ZipFile(output, "w") as archive:
        add_file(archive, MODEL_ENTRY, container.path, model.begin, model.end, alignment=ALIGNMENT)
        add_file(archive, TOKENIZER_ENTRY, container.path, tokenizer.begin, tokenizer.end)
        add_bytes(archive, METADATA_ENTRY, metadata)
    check_task_file(output)


def different_entries(task: Path, litertlm: Path) -> list[str]:
    """Which of model and tokenizer in a .task are not byte for byte those of a .litertlm.

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
    """Check that a .task is a whole zip with a model and a tokenizer.

    Raises:
        InputError: missing, truncated, damaged or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = {MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY} - names
            if missing:
                raise InputError(
                    f"{path}: not a .task of a language model: it lacks {', '.join(sorted(missing))}; "
                    "convert it again"
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
        raise InputError(f"{path}: the model in it is not a .tflite; convert it again")


def read_task_metadata(data: bytes, where: str) -> TaskMetadata:
    """Read the METADATA entry of a .task.

    Raises:
        InputError: it is damaged.
    """
    start: str | int | None = None
    stops: list[str] = []
    turns: dict[str, tuple[str, str]] = {}
    try:
        for number, value in fields(data):
            if number in (START_ID, START_TOKEN):
                start = value if isinstance(value, int) else value.decode()
            elif number == STOP_TOKENS and isinstance(value, bytes):
                stops.append(value.decode())
            elif number == TEMPLATES and isinstance(value, bytes):
                for role, template in fields(value):
                    texts = dict(fields(template)) if isinstance(template, bytes) else {}
                    prefix, suffix = (texts.get(key, b"") for key in (PREFIX, SUFFIX))
                    if role in ROLES and isinstance(prefix, bytes) and isinstance(suffix, bytes):
                        turns[ROLES[role]] = (prefix.decode(), suffix.decode())
    except ERRORS:
        raise InputError(f"{where}: damaged metadata; copy or convert it again") from None
    return TaskMetadata(start, tuple(stops), turns)
