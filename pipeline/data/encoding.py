"""Text files must be UTF-8; others are reported with the byte that is not."""

from pathlib import Path

from pipeline.data.faults import Faults, Place

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def is_utf16(content: bytes, path: Path, faults: Faults) -> bool:
    """Whether a file is UTF-16, by its byte order mark; reports it as a fault."""
    if content.startswith(UTF16_MARKS):
        faults.add(Place(path), "is UTF-16; save it as UTF-8")
        return True
    return False


def not_utf8(line: bytes, error: UnicodeDecodeError) -> str:
    """The fault of a line that is not UTF-8: byte, column, and the text before it."""
    before = line[max(0, error.start - 20) : error.start].decode("utf-8", errors="ignore")
    return f"not valid UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}, after {before!r}"
