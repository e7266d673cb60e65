"""What a bundle for LiteRT-LM tells: a .litertlm, ours or another's, and a .task."""

import zipfile
from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file, sha256_of_stream
from pipeline.formats.aligned_zip import entry_offset
from pipeline.formats.litertlm import METADATA, MODEL, TOKENIZER, UNKNOWN, Container, map_file, read_container
from pipeline.formats.llm_metadata import LlmMetadata, RawToken, parse_llm_metadata
from pipeline.formats.task import METADATA_ENTRY, TOKENIZER_ENTRY
from pipeline.formats.task_metadata import parse_task_metadata
from pipeline.formats.tflite_summary import IDENTIFIER
from pipeline.inspect.facts import Model, Report, Section, Token, Turn
from pipeline.inspect.model import read_tflite
from pipeline.inspect.tokens import HUGGING_FACE, SENTENCEPIECE, Pieces
from pipeline.litert.memory_estimate import cost_of

HUGGING_FACE_TOKENIZER = "HF_Tokenizer_Zlib"
MODEL_TYPE = "model_type"
"""The item of a TFLiteModel section that says what the model is for."""

TYPE_PREFIX = "tf_lite_"
PREFILL_DECODE = "prefill_decode"
"""What the model that answers is for."""


def report_litertlm(path: Path, place: tuple[int, int] | None = None, name: str | None = None) -> Report:
    """All about a .litertlm.

    Args:
        path: the file.
        place: where in it the bundle lies (begin, end), when it is stored inside an APK.
        name: its name there.

    Raises:
        InputError: truncated, or its header or a model in it is damaged.
    """
    container = read_container(path, place)
    origin, end = place or (0, path.stat().st_size)
    notes: list[str] = []
    pieces = _pieces(container)
    models, memory = [], None
    for section in container.sections:
        if section.kind.startswith(UNKNOWN):
            notes.append(f"a section of {section.kind}, which the schema of LiteRT-LM 0.18 does not have")
        if section.kind == MODEL:
            use = section.items.get(MODEL_TYPE, "model").removeprefix(TYPE_PREFIX)
            data = container.view(section)
            models.append(_model(data, use, str(path), notes))
            if use == PREFILL_DECODE and models[-1].kv_cache_bytes and pieces:
                memory = cost_of(data, models[-1], pieces.facts.bytes, str(path))
    if pieces is None:
        notes.append("no tokenizer in it")
    elif pieces.facts.vocabulary is None:
        notes.append("its tokenizer cannot be read")
    told: dict[str, Any] = {}
    if any(section.kind == METADATA for section in container.sections):
        metadata = parse_llm_metadata(container.read(METADATA), str(path))
        told = _told(metadata, pieces)
    else:
        notes.append("no LlmMetadata section: it tells no start or stop tokens, no template and no sampler")
    return Report(
        kind="litertlm",
        name=name or path.name,
        bytes=end - origin,
        sha256=_digest(path, place),
        sections=tuple(
            Section(
                each.kind, each.begin - origin, each.end - origin, each.end - each.begin, dict(each.items)
            )
            for each in container.sections
        ),
        system=dict(container.system),
        tokenizer=pieces.facts if pieces else None,
        models=tuple(models),
        memory=memory,
        notes=tuple(notes),
        **told,
    )


def report_task(path: Path) -> Report:
    """All about a .task.

    Raises:
        InputError: a model in it, or its metadata, is damaged.
    """
    notes: list[str] = []
    models, sections, memory = [], [], None
    mapped = map_file(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            begin = entry_offset(path, entry)
            sections.append(
                Section(entry.filename, begin, begin + entry.compress_size, entry.compress_size, {})
            )
            if entry.compress_type != zipfile.ZIP_STORED:
                notes.append(f"{entry.filename} is compressed, so the runtime cannot map it")
            elif entry.filename.startswith("TF_LITE_"):
                use, data = (
                    entry.filename.lower().removeprefix(TYPE_PREFIX),
                    mapped[begin : begin + entry.file_size],
                )
                models.append(_model(data, use, str(path), notes))
                if use == PREFILL_DECODE and models[-1].kv_cache_bytes:
                    memory = cost_of(data, models[-1], archive.getinfo(TOKENIZER_ENTRY).file_size, str(path))
        pieces = Pieces(archive.read(TOKENIZER_ENTRY), SENTENCEPIECE)
        metadata = parse_task_metadata(archive.read(METADATA_ENTRY), str(path))
    if pieces.facts.vocabulary is None:
        notes.append("its tokenizer cannot be read")
    start: RawToken = (metadata.start,) if isinstance(metadata.start, int) else metadata.start or ()
    return Report(
        kind="task",
        name=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
        sections=tuple(sections),
        start=(_token(pieces, start),) if start else (),
        stop=tuple(pieces.token_of(stop) for stop in metadata.stops),
        tokenizer=pieces.facts,
        turns={role: Turn(*affixes) for role, affixes in metadata.turns.items()},
        models=tuple(models),
        memory=memory,
        notes=tuple(notes),
    )


def _digest(path: Path, place: tuple[int, int] | None) -> str:
    if place is None:
        return sha256_of_file(path)
    with path.open("rb") as file:
        file.seek(place[0])
        return sha256_of_stream(file, place[1] - place[0])


def _model(data: memoryview, name: str, where: str, notes: list[str]) -> Model:
    if data[4:8] == IDENTIFIER:
        return read_tflite(data, name, f"{where}, its {name}")
    notes.append(f"{name} is no plain .tflite (it starts with {bytes(data[:8])!r}): not looked into")
    return Model(name, len(data), (), (), (), (), None, 0, None)


def _pieces(container: Container) -> Pieces | None:
    for section in container.sections:
        if section.kind in (TOKENIZER, HUGGING_FACE_TOKENIZER):
            kind = SENTENCEPIECE if section.kind == TOKENIZER else HUGGING_FACE
            return Pieces(bytes(container.view(section)), kind)
    return None


def _told(metadata: LlmMetadata, pieces: Pieces | None) -> dict[str, Any]:
    """The fields of a report that an LlmMetadata message tells."""
    return {
        "start": tuple(_token(pieces, token) for token in metadata.start),
        "stop": tuple(_token(pieces, token) for token in metadata.stop),
        "chat_template": metadata.template,
        "turns": metadata.turns,
        "sampler": metadata.sampler,
        "max_tokens": metadata.max_tokens,
    }


def _token(pieces: Pieces | None, token: RawToken) -> Token:
    if isinstance(token, str):
        return pieces.token_of(token) if pieces else Token((), token)
    return pieces.token(token) if pieces else Token(token, None)
