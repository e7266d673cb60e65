"""The report on a LiteRT-LM model file (.litertlm)."""

from pathlib import Path
from typing import Any

from pipeline.digests import sha256_of_file, sha256_of_stream
from pipeline.formats.litertlm import METADATA, MODEL, TOKENIZER, UNKNOWN, Container, read_container
from pipeline.formats.llm_metadata import LlmMetadata, RawToken
from pipeline.formats.tokenizer_file import HUGGING_FACE, SENTENCEPIECE, Token, Vocabulary
from pipeline.inspect.facts import Model, Report, Section
from pipeline.inspect.tflite import model_facts, read_model, unknown_model
from pipeline.litert.memory_estimate import MemoryCost, cost_of

HUGGING_FACE_TOKENIZER = "HF_Tokenizer_Zlib"
MODEL_TYPE = "model_type"
"""The item of a TFLiteModel section that names the model's purpose."""

TYPE_PREFIX = "tf_lite_"
PREFILL_DECODE = "prefill_decode"
"""The purpose of the model that answers."""


def report_litertlm(path: Path, span: tuple[int, int] | None = None, name: str | None = None) -> Report:
    """All about a .litertlm.

    Args:
        path: the file.
        span: first byte of the model file and the byte after its last one, when it is stored inside an APK.
        name: its name there.

    Raises:
        InputError: truncated, or its header or a model in it is damaged.
    """
    container = read_container(path, span)
    begin, end = span or (0, path.stat().st_size)
    notes: list[str] = []
    vocabulary = _vocabulary(container)
    models, memory = _models(container, vocabulary, notes)
    if vocabulary is None:
        notes.append("it has no tokenizer")
    elif vocabulary.facts.vocabulary is None:
        notes.append("its tokenizer cannot be read")
    conversation: dict[str, Any] = {}
    if container.has(METADATA):
        conversation = _conversation(container.llm_metadata(), vocabulary)
    else:
        notes.append("it has no LlmMetadata section: start and stop tokens, template and sampler are not set")
    return Report(
        kind="litertlm",
        name=name or path.name,
        bytes=end - begin,
        sha256=_digest(path, span),
        sections=tuple(
            Section(each.kind, each.begin - begin, each.end - begin, each.end - each.begin, dict(each.items))
            for each in container.sections
        ),
        system=dict(container.system),
        tokenizer=vocabulary.facts if vocabulary else None,
        models=models,
        memory=memory,
        notes=tuple(notes),
        **conversation,
    )


def token_facts(vocabulary: Vocabulary | None, token: RawToken) -> Token:
    """Ids and text of a token, as far as the vocabulary has them."""
    if isinstance(token, str):
        return vocabulary.token_of(token) if vocabulary else Token((), token)
    return vocabulary.token(token) if vocabulary else Token(token, None)


def _models(
    container: Container, vocabulary: Vocabulary | None, notes: list[str]
) -> tuple[tuple[Model, ...], MemoryCost | None]:
    """The models of a container, and the memory that the one that answers needs."""
    models: list[Model] = []
    memory = None
    for section in container.sections:
        if section.kind.startswith(UNKNOWN):
            notes.append(f"a section of {section.kind}, which is not in the schema of LiteRT-LM 0.18")
        if section.kind != MODEL:
            continue
        purpose = section.items.get(MODEL_TYPE, "model").removeprefix(TYPE_PREFIX)
        model = read_model(container.view(section), purpose, str(container.path), notes)
        if model is None:
            models.append(unknown_model(purpose, section.end - section.begin))
            continue
        models.append(model_facts(purpose, model))
        if purpose == PREFILL_DECODE and model.kv_cache_bytes and vocabulary:
            memory = cost_of(model, vocabulary.facts.bytes)
    return tuple(models), memory


def _digest(path: Path, span: tuple[int, int] | None) -> str:
    if span is None:
        return sha256_of_file(path)
    with path.open("rb") as file:
        file.seek(span[0])
        return sha256_of_stream(file, span[1] - span[0])


def _vocabulary(container: Container) -> Vocabulary | None:
    for section in container.sections:
        if section.kind in (TOKENIZER, HUGGING_FACE_TOKENIZER):
            kind = SENTENCEPIECE if section.kind == TOKENIZER else HUGGING_FACE
            return Vocabulary(bytes(container.view(section)), kind)
    return None


def _conversation(metadata: LlmMetadata, vocabulary: Vocabulary | None) -> dict[str, Any]:
    """The fields of a report that an LlmMetadata message sets."""
    return {
        "start": tuple(token_facts(vocabulary, token) for token in metadata.start),
        "stop": tuple(token_facts(vocabulary, token) for token in metadata.stop),
        "chat_template": metadata.template,
        "turns": metadata.turns,
        "sampler": metadata.sampler,
        "max_tokens": metadata.max_tokens,
    }
