"""The .litertlm container: a header that lists sections, and the sections, each at a multiple of 16 KiB.

Layout (LiteRT-LM, `schema/core/litertlm_header_schema.fbs`, format version 1): the bytes LITERTLM, three
little-endian uint32 of the version, four bytes of padding, a uint64 with the end of the header, then the
header as a flatbuffer. Reading checks everything against the size of the file first, because the runtime
trusts the header.
"""

import mmap
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.families.registry import chat_of_template
from pipeline.formats.flatbuffer import ERRORS as FLATBUFFER_ERRORS
from pipeline.formats.flatbuffer import Table
from pipeline.formats.llm_metadata import LlmMetadata, read_llm_metadata

MAGIC = b"LITERTLM"
VERSION = (1, 7, 0)
BLOCK = 16 * 1024
HEADER_END = 24
HEADER_BEGIN = 32

KINDS = (
    "NONE",
    "GenericBinaryData",
    "Deprecated",
    "TFLiteModel",
    "SP_Tokenizer",
    "LlmMetadataProto",
    "HF_Tokenizer_Zlib",
    "TFLiteWeights",
    "EmbeddingMetadataProto",
    "ExecutorMetadataProto",
    "TtsMetadataProto",
    "AsrMetadataProto",
)
"""The schema's AnySectionDataType: the kinds of section, by their number."""

NUMBERS = {1: "B", 2: "b", 3: "H", 4: "h", 5: "I", 6: "i", 7: "f", 8: "?", 10: "Q", 11: "q", 12: "d"}
"""The schema's VData: how the value of an item is stored (as in `struct`), by its number; STRING has no fixed
size."""
STRING = 9

ID = "uuid"
NO_ID = str(uuid.UUID(int=0, version=4))
"""Stands in the place of the id while the id is computed from the content."""

METADATA, MODEL, TOKENIZER = "LlmMetadataProto", "TFLiteModel", "SP_Tokenizer"
"""The kinds of section that a text model has, by the schema's names."""

ACTIVATION_TYPE = "prefer_activation_type"
"""Item of a model's section: the type in which a GPU keeps activations unless the app sets one."""

UNKNOWN = "kind "
"""Begins the name of a kind of section that is not in the schema, before its number: a later runtime's."""


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        kind: the schema's name.
        begin: the first byte in the file.
        end: the byte after the last one.
        items: key and value of its metadata.
    """

    kind: str
    begin: int
    end: int
    items: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """A .litertlm file whose header was read and checked against the file.

    Attributes:
        path: the file.
        sections: in the order of the header.
        system: system metadata: author, description, id.
        id_offset: byte of the file at which the 36 characters of the id begin; None when it has none.
    """

    path: Path
    sections: tuple[Section, ...]
    system: dict[str, str]
    id_offset: int | None = None

    def has(self, kind: str) -> bool:
        """Whether there is a section of a kind."""
        return any(section.kind == kind for section in self.sections)

    def section(self, kind: str) -> Section:
        """The first section of a kind.

        Raises:
            InputError: there is none.
        """
        for section in self.sections:
            if section.kind == kind:
                return section
        raise InputError(
            f"{self.path}: has no {kind} section, found "
            f"{', '.join(each.kind for each in self.sections) or 'none'}; convert it again"
        )

    def view(self, section: Section) -> memoryview:
        """The bytes of a section, mapped: only what is accessed is read from the disk."""
        return map_file(self.path)[section.begin : section.end]

    def read(self, kind: str) -> bytes:
        """The bytes of the first section of a kind."""
        section = self.section(kind)
        with self.path.open("rb") as file:
            file.seek(section.begin)
            return file.read(section.end - section.begin)

    def llm_metadata(self) -> LlmMetadata:
        """Start and stop tokens, chat template, sampler and context length; empty when the file has no such
        section.

        Raises:
            InputError: the section is damaged.
        """
        return read_llm_metadata(self.read(METADATA), str(self.path)) if self.has(METADATA) else LlmMetadata()

    def chat_format(self) -> ChatFormat:
        """The chat format of the family whose template the file carries.

        Raises:
            InputError: the metadata section is damaged.
        """
        return chat_of_template(self.llm_metadata().template)


def map_file(path: Path) -> memoryview:
    """The bytes of a file, mapped.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_container(path: Path, span: tuple[int, int] | None = None) -> Container:
    """Read the header of a .litertlm file and check it against the file.

    Args:
        path: the file.
        span: first byte of the model file and the byte after its last one, when it is stored inside another
            file.

    Raises:
        InputError: no such file, not a .litertlm, truncated, or its header is damaged.
    """
    try:
        origin, limit = span or (0, path.stat().st_size)
        size = limit - origin
        with path.open("rb") as file:
            file.seek(origin)
            start = file.read(min(HEADER_BEGIN, size))
            if not start.startswith(MAGIC):
                raise InputError(
                    f"{path}: not a .litertlm file: it starts with {start[:8]!r}, expected {MAGIC!r}"
                )
            version = int.from_bytes(start[8:12], "little")
            if len(start) == HEADER_BEGIN and version != VERSION[0]:
                raise InputError(f"{path}: .litertlm format version {version}, expected version {VERSION[0]}")
            end = int.from_bytes(start[HEADER_END:HEADER_BEGIN], "little")
            if len(start) < HEADER_BEGIN or not HEADER_BEGIN < end <= size:
                raise InputError(
                    f"{path}: truncated inside its header: {size} bytes; copy or convert it again"
                )
            header = file.read(end - HEADER_BEGIN)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; expected a .litertlm file") from None
    try:
        system, id_offset, sections = _parse(header)
    except FLATBUFFER_ERRORS:
        raise InputError(f"{path}: damaged header; copy or convert it again") from None
    for section in sections:
        if not end <= section.begin < section.end:
            raise InputError(
                f"{path}: damaged header: {section.kind} from byte {section.begin} to {section.end}; convert "
                "it again"
            )
        if section.end > size:
            raise InputError(
                f"{path}: truncated: {section.kind} should end at byte {section.end}, the file has {size}; "
                "copy or convert it again"
            )
    if not sections:
        raise InputError(f"{path}: empty .litertlm file: it lists no sections; convert it again")
    shifted = tuple(
        Section(section.kind, origin + section.begin, origin + section.end, section.items)
        for section in sections
    )
    return Container(path, shifted, system, None if id_offset is None else origin + HEADER_BEGIN + id_offset)


def _parse(header: bytes) -> tuple[dict[str, str], int | None, list[Section]]:
    """System metadata, offset of the id in the header, and the sections."""
    document = Table.root(header)
    system, table = document.table(0), document.table(1)
    entries = system.tables(0) if system else []
    id_offset = None
    for entry in entries:
        value = entry.table(2)
        if (
            entry.string(0) == ID
            and value
            and entry.number(1, "B") == STRING
            and value.vector(0)[1] == len(NO_ID)
        ):
            id_offset = value.vector(0)[0]
    sections = [
        Section(
            _kind(each.number(3, "B")),
            each.number(1, "<Q"),
            each.number(2, "<Q"),
            dict(_item(item) for item in each.tables(0)),
        )
        for each in (table.tables(0) if table else [])
    ]
    return dict(_item(entry) for entry in entries), id_offset, sections


def _kind(number: int) -> str:
    return KINDS[number] if number < len(KINDS) else f"{UNKNOWN}{number}"


def _item(entry: Table) -> tuple[str, str]:
    """A KeyValuePair: its key, and its value as text."""
    kind, value = entry.number(1, "B"), entry.table(2)
    key = entry.string(0) or ""
    if value is None:
        return key, "None"
    if kind == STRING:
        return key, str(value.string(0))
    number = "<" + NUMBERS[kind]
    return key, str(value.number(0, number, default=False if kind == 8 else 0))
