"""From bytes to text. A byte order mark is believed, UTF-8 is the rule, and nothing else is guessed."""

import codecs

from pipeline.data.faults import Faults, Place
from pipeline.data.rows import DataFile

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks and the codecs that read them, the longer ones first where one begins another."""


ADVICE = (
    "save the file as UTF-8, or name its encoding in data.encoding (cp1252 for Excel's CSV in Western Europe)"
)


def decode(file: DataFile, faults: Faults) -> list[tuple[int, str]]:
    """The lines of a text file, each with its number counted from 1 and without its line feed.

    Lines that are not in the file's encoding are reported to `faults` and left out.
    """
    content = file.content
    encoding = file.encoding or next(
        (codec for mark, codec in MARKS.items() if content.startswith(mark)), _unmarked(content)
    )
    try:
        # A mark at the start is not text in any encoding.
        text = content.decode(encoding).removeprefix("\ufeff")
        return list(enumerate(text.split("\n"), start=1))
    except UnicodeDecodeError as error:
        if encoding not in ("utf-8", "utf-8-sig"):
            named = "data.encoding" if file.encoding else "its byte order mark"
            faults.add(Place(file.path), f"not valid {encoding} (according to {named}) at byte {error.start}")
            return []
    lines = []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        try:
            lines.append((number, line.decode("utf-8")))
        except UnicodeDecodeError as error:
            faults.add(Place(file.path, number), f"{not_utf8(line, error)}; {ADVICE}")
    return lines


def _unmarked(content: bytes) -> str:
    """The encoding of a file without a mark: UTF-16 if zeros are common in every other byte of its start and
    absent from the rest, else UTF-8."""
    start = content[:400]
    for codec, high, low in (("utf-16-le", start[1::2], start[::2]), ("utf-16-be", start[::2], start[1::2])):
        if high.count(0) > len(high) / 2 and not low.count(0):
            return codec
    return "utf-8"


def not_utf8(line: bytes, error: UnicodeDecodeError) -> str:
    """The fault of a line that is not UTF-8: byte, column, and the text before it."""
    before = line[max(0, error.start - 20) : error.start].decode("utf-8", errors="ignore")
    return f"not valid UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}, after {before!r}"
