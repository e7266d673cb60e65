"""Promise: JSON of other tools is read, or refused with the reason."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.foreign import parse_json, read_json_object, refuse_pointer


@pytest.mark.parametrize(
    "content", ['{"ß": [1, -2.5, null]}'.encode(), b'\xef\xbb\xbf{"\xc3\x9f": [1, -2.5, null]}']
)
def test_utf_8_is_read_with_and_without_a_byte_order_mark(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert parse_json(content) == read_json_object(tmp_path / "a.json") == {"ß": [1, -2.5, None]}


def test_whole_numbers_are_exact_up_to_what_a_float_holds() -> None:
    assert parse_json("9" * 308) == 10**308 - 1
    with pytest.raises(ValueError, match="^a number of 309 digits$"):
        parse_json("9" * 309)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8 text"),
        (b"", "Expecting value: line 1 column 1"),
        (b"9" * 5000, "a number of 5000 digits"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: not readable as JSON: .*{message}.*; copy or") as error:
        read_json_object(tmp_path / "a.json")
    assert "\n" not in str(error.value)


def test_a_folder_and_a_pointer_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_json_object(tmp_path)
    with pytest.raises(InputError, match="x: a Git LFS pointer, not the weights; run: git lfs pull"):
        refuse_pointer(Path("x"), b"version https://git-lfs.github.com/spec/v1", "weights")
    refuse_pointer(Path("x"), b"version 2", "weights")
