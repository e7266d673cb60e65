"""The report on a .task file."""

import zipfile
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.formats.aligned_zip import entry_offset
from pipeline.formats.litertlm import map_file
from pipeline.formats.llm_metadata import RawToken, Turn
from pipeline.formats.task import METADATA_ENTRY, TOKENIZER_ENTRY, read_task_metadata
from pipeline.formats.tokenizer_file import SENTENCEPIECE, Vocabulary
from pipeline.inspect.facts import Model, Report, Section
from pipeline.inspect.litertlm import PREFILL_DECODE, TYPE_PREFIX, token_facts
from pipeline.inspect.tflite import model_facts, read_model, unknown_model
from pipeline.litert.memory_estimate import cost_of


def report_task(path: Path) -> Report:
    """All about a .task.

    Raises:
        InputError: a model in it, or its metadata, is damaged.
    """
    notes: list[str] = []
    models: list[Model] = []
    sections, memory = [], None
    mapped = map_file(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            begin = entry_offset(path, entry)
            sections.append(
                Section(entry.filename, begin, begin + entry.compress_size, entry.compress_size, {})
            )
            if entry.compress_type != zipfile.ZIP_STORED:
                notes.append(f"{entry.filename} is compressed, so the runtime cannot map it")
            elif entry.filename.lower().startswith(TYPE_PREFIX):
                purpose = entry.filename.lower().removeprefix(TYPE_PREFIX)
                model = read_model(mapped[begin : begin + entry.file_size], purpose, str(path), notes)
                if model is None:
                    models.append(unknown_model(purpose, entry.file_size))
                    continue
                models.append(model_facts(purpose, model))
                if purpose == PREFILL_DECODE and model.kv_cache_bytes:
                    memory = cost_of(model, archive.getinfo(TOKENIZER_ENTRY).file_size)
        vocabulary = Vocabulary(archive.read(TOKENIZER_ENTRY), SENTENCEPIECE)
        metadata = read_task_metadata(archive.read(METADATA_ENTRY), str(path))
    if vocabulary.facts.vocabulary is None:
        notes.append("its tokenizer cannot be read")
    start: RawToken = (metadata.start,) if isinstance(metadata.start, int) else metadata.start or ()
    return Report(
        kind="task",
        name=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
        sections=tuple(sections),
        start=(token_facts(vocabulary, start),) if start else (),
        stop=tuple(vocabulary.token_of(stop) for stop in metadata.stops),
        tokenizer=vocabulary.facts,
        turns={role: Turn(*affixes) for role, affixes in metadata.turns.items()},
        models=tuple(models),
        memory=memory,
        notes=tuple(notes),
    )
