"""Writing .litertlm containers: other sections, other system metadata, and an id that is made from the
content."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.formats.litertlm import (
    BLOCK,
    HEADER_BEGIN,
    HEADER_END,
    ID,
    MAGIC,
    NO_ID,
    UNKNOWN,
    VERSION,
    Container,
    Section,
    read_container,
)
from pipeline.formats.litertlm_content import content_id


def rewrite(
    source: Container,
    path: Path,
    *,
    replace: Mapping[str, bytes] | None = None,
    items: Mapping[str, Mapping[str, str]] | None = None,
    system: Mapping[str, str] | None = None,
) -> None:
    """Write a container with other sections or other system metadata; equal input gives equal bytes.

    Args:
        source: the container that is copied.
        path: the file to write, not the source's own.
        replace: new content of the first section of a kind.
        items: values to set in the metadata of all sections of a kind.
        system: the system metadata; the source's if None. `uuid` is made from the content.
    """
    replace, items = dict(replace or {}), items or {}
    contents = [replace.pop(section.kind, None) for section in source.sections]
    sections = tuple(
        dataclasses.replace(section, items={**section.items, **items.get(section.kind, {})})
        for section in source.sections
    )
    if replace:
        raise ValueError(f"no such section: {sorted(replace)}")
    entries = dict(source.system if system is None else system)
    # The exporter stamps the time and a random id; an id made from the content lets equal models be equal
    # files.
    entries.pop("creation_timestamp", None)
    entries[ID] = NO_ID
    ranges: list[tuple[int, int]] = []
    with source.path.open("rb") as original, path.open("wb") as file:
        end = HEADER_BEGIN + len(_pack(sections, [(1, 1)] * len(sections), entries))
        for section, content in zip(sections, contents, strict=True):
            begin = _round_up(end)
            file.seek(begin)
            for chunk in [content] if content is not None else _chunks(original, section):
                file.write(chunk)
            end = file.tell()
            ranges.append((begin, end))
        header = _pack(sections, ranges, entries)
        file.seek(0)
        file.write(MAGIC + b"".join(number.to_bytes(4, "little") for number in VERSION))
        file.seek(HEADER_END)
        file.write((HEADER_BEGIN + len(header)).to_bytes(8, "little") + header)
    stamp(path)


def stamp(path: Path) -> None:
    """Write into a .litertlm, in place, the id of its content; a file without an id stays as it is."""
    container = read_container(path)
    if container.id_offset is None:
        return
    with path.open("r+b") as file:
        file.seek(container.id_offset)
        file.write(content_id(container).encode())


def _chunks(file: BinaryIO, section: Section, size: int = 1 << 24) -> Iterable[bytes]:
    """A section's bytes, piece by piece, so that a model of any size passes through little memory."""
    file.seek(section.begin)
    left = section.end - section.begin
    while left:
        chunk = file.read(min(size, left))
        yield chunk
        left -= len(chunk)


def _pack(sections: tuple[Section, ...], ranges: list[tuple[int, int]], system: Mapping[str, str]) -> bytes:
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
                for section, (begin, end) in zip(sections, ranges, strict=True)
            ]
        ),
    )
    builder = flatbuffers.Builder(BLOCK)
    builder.Finish(document.Pack(builder))
    return bytes(builder.Output())


def _round_up(offset: int) -> int:
    return -(-offset // BLOCK) * BLOCK
