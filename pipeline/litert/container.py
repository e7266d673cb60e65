"""The .litertlm container: a header that lists sections, and the sections, each at a multiple of 16 KiB.

Layout (LiteRT-LM, `schema/core/litertlm_header_schema.fbs`, format version 1): the bytes LITERTLM, three little-endian uint32 of
the version, four bytes of padding, a uint64 with the end of the header, then the header as a flatbuffer.
Reading checks everything against the size of the file first, because the runtime trusts the header.
"""

import hashlib
import json
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import InputError

MAGIC = b"LITERTLM"
VERSION = (1, 7, 0)
BLOCK = 16 * 1024
HEADER_END = 24
HEADER_BEGIN = 32

FLATBUFFER_ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What reading a damaged flatbuffer may raise: it follows offsets without checking them."""

METADATA, MODEL, TOKENIZER = "LlmMetadataProto", "TFLiteModel", "SP_Tokenizer"
"""The kinds of section that a text model has, by the schema's names."""


@dataclass(frozen=True)
class Section:
    """One section: its kind by the schema's name, where it lies in the file, in bytes, and the items said about it."""

    kind: str
    begin: int
    end: int
    items: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """A .litertlm file whose header was read and found to fit the file."""

    path: Path
    sections: tuple[Section, ...]
    system: dict[str, str]

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


def read_container(path: Path) -> Container:
    """Read the header of a .litertlm file and check it against the file.

    Raises:
        InputError: no such file, not a .litertlm, truncated, or its header is damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(HEADER_BEGIN)
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
        system, sections = _parse(header)
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
    return Container(path, tuple(sections), system)


def _parse(header: bytes) -> tuple[dict[str, str], list[Section]]:
    from litert_lm_builder import litertlm_header_schema_py_generated as schema
    from litert_lm_builder import litertlm_peek

    names = {value: name for name, value in vars(schema.AnySectionDataType).items() if isinstance(value, int)}
    document = schema.LiteRTLMMetaData.GetRootAs(header)

    def items(count: int, entry: Callable[[int], Any]) -> dict[str, str]:
        found = (litertlm_peek.kvp_to_dict(entry(index)) for index in range(count))
        return {item["key"]: str(item["value"]) for item in found}

    system, table = document.SystemMetadata(), document.SectionMetadata()
    objects = [table.Objects(index) for index in range(table.ObjectsLength())] if table else []
    return (
        items(system.EntriesLength(), system.Entries) if system else {},
        [
            Section(
                names[each.DataType()],
                each.BeginOffset(),
                each.EndOffset(),
                items(each.ItemsLength(), each.Items),
            )
            for each in objects
        ],
    )


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
    entries["uuid"] = str(uuid.UUID(int=0, version=4))
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode())
    places: list[tuple[int, int]] = []
    with source.path.open("rb") as original, path.open("wb") as file:
        end = HEADER_BEGIN + len(_pack(source.sections, [(1, 1)] * len(source.sections), entries))
        for section, content in zip(source.sections, contents, strict=True):
            begin = _round_up(end)
            file.seek(begin)
            for chunk in [content] if content is not None else _chunks(original, section):
                file.write(chunk)
                digest.update(chunk)
            end = file.tell()
            places.append((begin, end))
        entries["uuid"] = str(uuid.UUID(bytes=digest.digest()[:16], version=4))
        header = _pack(source.sections, places, entries)
        file.seek(0)
        file.write(MAGIC + b"".join(number.to_bytes(4, "little") for number in VERSION))
        file.seek(HEADER_END)
        file.write((HEADER_BEGIN + len(header)).to_bytes(8, "little") + header)


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
                    dataType=getattr(schema.AnySectionDataType, section.kind),
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
