"""The .litertlm container: a header that lists sections, and the sections, each at a multiple of 16 KiB.

Layout (LiteRT-LM, `schema/core/litertlm_header_schema.fbs`, format version 1): the bytes LITERTLM, three little-endian uint32 of
the version, four bytes of padding, a uint64 with the end of the header, then the header as a flatbuffer.
Reading checks everything against the size of the file first, because the runtime trusts the header.
"""

import hashlib
import json
import mmap
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.families.registry import chat_of_template
from pipeline.formats.flatbuffer import ERRORS as FLATBUFFER_ERRORS
from pipeline.formats.flatbuffer import Table
from pipeline.parallel import in_threads

MAGIC = b"LITERTLM"
VERSION = (1, 7, 0)
BLOCK = 16 * 1024
PIECE_BYTES = 1 << 25
"""How much of a section one thread hashes at a time."""

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
"""The schema's AnySectionDataType: what a section may hold, by its number."""

NUMBERS = {1: "B", 2: "b", 3: "H", 4: "h", 5: "I", 6: "i", 7: "f", 8: "?", 10: "Q", 11: "q", 12: "d"}
"""The schema's VData: how a value of a key is stored (as in `struct`), by its number; STRING is the only one without."""
STRING = 9

ID = "uuid"
NO_ID = str(uuid.UUID(int=0, version=4))
"""Stands where the id will be while the content that it is made from is counted."""

METADATA, MODEL, TOKENIZER = "LlmMetadataProto", "TFLiteModel", "SP_Tokenizer"
"""The kinds of section that a text model has, by the schema's names."""

UNKNOWN = "kind "
"""Before the number of a kind of section that the schema has no name for: a later runtime's."""


@dataclass(frozen=True)
class Section:
    """One section: its kind by the schema's name, where it lies in the file, in bytes, and the items said about it."""

    kind: str
    begin: int
    end: int
    items: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """A .litertlm file whose header was read and found to fit the file.

    Attributes:
        path: the file.
        sections: in the order of the header.
        system: what the file says of itself: author, description, id.
        id_place: byte of the file at which the id's 36 characters begin; None when it has none.
    """

    path: Path
    sections: tuple[Section, ...]
    system: dict[str, str]
    id_place: int | None = None

    def section(self, kind: str) -> Section:
        """The first section of a kind.

        Raises:
            InputError: there is none.
        """
        for section in self.sections:
            if section.kind == kind:
                return section
        raise InputError(
            f"{self.path}: no {kind} section in it, found {', '.join(s.kind for s in self.sections) or 'none'}; convert it again"
        )

    def view(self, section: Section) -> memoryview:
        """The bytes of a section, mapped: only what is looked at is read from the disk."""
        return map_file(self.path)[section.begin : section.end]

    def read(self, kind: str) -> bytes:
        """The bytes of the first section of a kind."""
        section = self.section(kind)
        with self.path.open("rb") as file:
            file.seek(section.begin)
            return file.read(section.end - section.begin)

    def metadata(self) -> Any:
        """The LlmMetadata message: start and stop tokens, chat template, sampler, context length.

        Raises:
            InputError: the section does not hold one.
        """
        from google.protobuf.message import DecodeError
        from litert_lm_builder.runtime.proto import llm_metadata_pb2

        message = llm_metadata_pb2.LlmMetadata()
        try:
            message.ParseFromString(self.read(METADATA))
        except DecodeError:
            raise InputError(f"{self.path}: its metadata section is damaged; convert it again") from None
        return message

    def chat_format(self) -> ChatFormat:
        """The chat format of the family whose template the file carries.

        Raises:
            InputError: the metadata section is damaged.
        """
        from pipeline.formats.llm_metadata import parse_llm_metadata

        has_metadata = any(section.kind == METADATA for section in self.sections)
        found = parse_llm_metadata(self.read(METADATA), str(self.path)) if has_metadata else None
        return chat_of_template(found.template if found else None)


def map_file(path: Path) -> memoryview:
    """A file's bytes without reading them to memory.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_container(path: Path, place: tuple[int, int] | None = None) -> Container:
    """Read the header of a .litertlm file and check it against the file.

    Args:
        path: the file.
        place: where in it the bundle lies (begin, end), in bytes, when it is stored inside another file; else it is the file.

    Raises:
        InputError: no such file, not a .litertlm, truncated, or its header is damaged.
    """
    try:
        origin, limit = place or (0, path.stat().st_size)
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
                raise InputError(
                    f"{path}: .litertlm format version {version}, this program reads version {VERSION[0]}"
                )
            end = int.from_bytes(start[HEADER_END:HEADER_BEGIN], "little")
            if len(start) < HEADER_BEGIN or not HEADER_BEGIN < end <= size:
                raise InputError(
                    f"{path}: truncated inside its header: {size} bytes; copy or convert it again"
                )
            header = file.read(end - HEADER_BEGIN)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; expected a .litertlm file") from None
    try:
        system, id_place, sections = _parse(header)
    except FLATBUFFER_ERRORS:
        raise InputError(f"{path}: its header is damaged; copy or convert it again") from None
    for section in sections:
        if not end <= section.begin < section.end:
            raise InputError(
                f"{path}: its header is damaged: {section.kind} from byte {section.begin} to {section.end}; convert it again"
            )
        if section.end > size:
            raise InputError(
                f"{path}: truncated: {section.kind} should end at byte {section.end}, the file has {size}; copy or convert it again"
            )
    if not sections:
        raise InputError(f"{path}: an empty .litertlm file, it lists no section; convert it again")
    placed = tuple(
        Section(section.kind, origin + section.begin, origin + section.end, section.items)
        for section in sections
    )
    return Container(path, placed, system, None if id_place is None else origin + HEADER_BEGIN + id_place)


def _parse(header: bytes) -> tuple[dict[str, str], int | None, list[Section]]:
    """System metadata, where the id lies in the header, and the sections."""
    document = Table.root(header)
    system, table = document.table(0), document.table(1)
    entries = system.tables(0) if system else []
    id_place = None
    for entry in entries:
        value = entry.table(2)
        if (
            entry.string(0) == ID
            and value
            and entry.number(1, "B") == STRING
            and value.vector(0)[1] == len(NO_ID)
        ):
            id_place = value.vector(0)[0]
    sections = [
        Section(
            _kind(each.number(3, "B")),
            each.number(1, "<Q"),
            each.number(2, "<Q"),
            dict(_item(item) for item in each.tables(0)),
        )
        for each in (table.tables(0) if table else [])
    ]
    return dict(_item(entry) for entry in entries), id_place, sections


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


def rewrite(
    source: Container,
    path: Path,
    *,
    replace: Mapping[str, bytes] | None = None,
    system: Mapping[str, str] | None = None,
) -> None:
    """Write a container with other sections or other system metadata; equal input gives equal bytes.

    Args:
        source: the container that is copied.
        path: the file to write, not the source's own.
        replace: new content of the first section of a kind.
        system: the system metadata; without it the source's is kept. `uuid` is made from the content.
    """
    replace = dict(replace or {})
    contents = [replace.pop(section.kind, None) for section in source.sections]
    if replace:
        raise ValueError(f"no such section: {sorted(replace)}")
    entries = dict(source.system if system is None else system)
    # The exporter stamps the time and a random id; an id made from the content lets equal models be equal files.
    entries.pop("creation_timestamp", None)
    entries[ID] = NO_ID
    places: list[tuple[int, int]] = []
    with source.path.open("rb") as original, path.open("wb") as file:
        end = HEADER_BEGIN + len(_pack(source.sections, [(1, 1)] * len(source.sections), entries))
        for section, content in zip(source.sections, contents, strict=True):
            begin = _round_up(end)
            file.seek(begin)
            for chunk in [content] if content is not None else _chunks(original, section):
                file.write(chunk)
            end = file.tell()
            places.append((begin, end))
        header = _pack(source.sections, places, entries)
        file.seek(0)
        file.write(MAGIC + b"".join(number.to_bytes(4, "little") for number in VERSION))
        file.seek(HEADER_END)
        file.write((HEADER_BEGIN + len(header)).to_bytes(8, "little") + header)
    stamp(path)


def stamp(path: Path) -> None:
    """Write into a .litertlm, in place, the id that its content gives; a file without an id stays as it is.

    The id is made from the system metadata and the bytes of all sections, so files that say and hold the same have the same. Pieces of
    a section are hashed side by side, and their digests in order.
    """
    container = read_container(path)
    if container.id_place is None:
        return
    entries = container.system | {ID: NO_ID}
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode())
    places = [
        (begin, min(begin + PIECE_BYTES, section.end))
        for section in container.sections
        for begin in range(section.begin, section.end, PIECE_BYTES)
    ]

    def hashed(place: tuple[int, int]) -> tuple[int, bytes]:
        digest = hashlib.sha256()
        with (
            path.open("rb", buffering=0) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            digest.update(memoryview(mapped)[place[0] : place[1]])
        return place[0], digest.digest()

    for _, piece in sorted(in_threads(hashed, places)):
        digest.update(piece)
    with path.open("r+b") as file:
        file.seek(container.id_place)
        file.write(str(uuid.UUID(bytes=digest.digest()[:16], version=4)).encode())


def _chunks(file: BinaryIO, section: Section, size: int = 1 << 24) -> Iterable[bytes]:
    """A section's bytes, piece by piece, so that a model of any size passes through little memory."""
    file.seek(section.begin)
    left = section.end - section.begin
    while left:
        chunk = file.read(min(size, left))
        yield chunk
        left -= len(chunk)


def _pack(sections: tuple[Section, ...], places: list[tuple[int, int]], system: Mapping[str, str]) -> bytes:
    import flatbuffers
    from litert_lm_builder import litertlm_header_schema_py_generated as schema

    def entries(items: Mapping[str, str]) -> list[Any]:
        return [
            schema.KeyValuePairT(
                key=key, value=schema.StringValueT(value), valueType=schema.VData.StringValue
            )
            for key, value in items.items()
        ]

    document = schema.LiteRTLMMetaDataT(
        systemMetadata=schema.SystemMetadataT(entries=entries(system)),
        sectionMetadata=schema.SectionMetadataT(
            objects=[
                schema.SectionObjectT(
                    items=entries(section.items),
                    dataType=int(section.kind.removeprefix(UNKNOWN))
                    if section.kind.startswith(UNKNOWN)
                    else getattr(schema.AnySectionDataType, section.kind),
                    beginOffset=begin,
                    endOffset=end,
                )
                for section, (begin, end) in zip(sections, places, strict=True)
            ]
        ),
    )
    builder = flatbuffers.Builder(BLOCK)
    builder.Finish(document.Pack(builder))
    return bytes(builder.Output())


def _round_up(offset: int) -> int:
    return -(-offset // BLOCK) * BLOCK
